"""Unpack Debian packages and all they need into a folder, without root and without touching the host.

The finished tree appears by one rename, its stamp already inside, so an interrupted fetch never
looks complete; what was downloaded until then is kept and used by the next try.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ivr.asterisk.apt_run import explain, require_tools, run_apt, write_config
from ivr.asterisk.debian_mirror import Mirrors, find_keyring
from ivr.asterisk.progress import Progress
from ivr.errors import SetupError

STAMP = "yinling-tree.json"
NOT_NEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale")


@dataclass(frozen=True)
class Recipe:
    """What one tree is made of."""

    name: str
    packages: tuple[str, ...]
    suite: str
    need_mb: int
    """Free disk space during the fetch: archives and tree together."""
    leave_out: tuple[str, ...] = ()
    """Packages (name prefixes) that apt wants but the programs we start do not."""
    floors: dict[str, tuple[int, ...]] = field(default_factory=dict)


def version_numbers(text: str) -> tuple[int, ...]:
    """`1:22.10.1~dfsg+~cs6-1` → (22, 10, 1)."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found.group(1).split(".")) if found else ()


def read_stamp(root: Path, recipe: Recipe) -> dict[str, str] | None:
    """Versions by package when the tree is complete and still what the recipe asks for."""
    try:
        stamp: dict[str, Any] = json.loads((root / STAMP).read_text(encoding="utf-8"))
        versions = {str(name): str(version) for name, version in stamp["versions"].items()}
        same = stamp["packages"] == list(recipe.packages) and stamp["suite"] == recipe.suite
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    old = any(version_numbers(versions.get(name, "")) < floor for name, floor in recipe.floors.items())
    return versions if same and not old else None


def ensure_tree(recipe: Recipe, tools_dir: Path, mirrors: Mirrors, progress: Progress) -> Path:
    """The tree's folder, fetched now if it is not there yet.

    Raises:
        SetupError: no apt, no network, no space, no keys, or the mirror's version is below the floor.
    """
    root = tools_dir.resolve() / recipe.name
    if read_stamp(root, recipe) is not None:
        return root
    require_tools()
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with _only_one(root.parent / f".{recipe.name}.lock", recipe.name, progress):
            if read_stamp(root, recipe) is None:  # else another process fetched it while we waited
                _fetch(recipe, root, mirrors, progress)
    except OSError as error:
        raise explain(error.strerror or str(error)) from error
    return root


@contextmanager
def _only_one(lock: Path, name: str, progress: Progress) -> Iterator[None]:
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"{name}: 另一个进程正在下载，等待 waiting for another process", 0)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch(recipe: Recipe, root: Path, mirrors: Mirrors, progress: Progress) -> None:
    free_mb = shutil.disk_usage(root.parent).free // 1_000_000
    if free_mb < recipe.need_mb:
        raise SetupError(
            f"磁盘空间不足：{root.parent} 只剩 {free_mb} MB，下载 {recipe.name} 需要 {recipe.need_mb} MB",
            f"disk full: {root.parent} has {free_mb} MB, fetching {recipe.name} needs {recipe.need_mb} MB",
        )
    work = root.parent / f".{recipe.name}.work"
    work.mkdir(exist_ok=True)
    key = find_keyring(work)
    sources = [f"deb [signed-by={key}] {mirrors.main} {recipe.suite} main"]
    if recipe.suite != "sid":  # sid has no separate security archive
        sources.append(f"deb [signed-by={key}] {mirrors.security} {recipe.suite}-security main")
    config = write_config(work, sources)
    run_apt(config, ["update"], lambda percent: progress(f"{recipe.name}: 读取软件目录 reading index", percent))
    run_apt(
        config,
        ["--download-only", "--no-install-recommends", "-y", "install", *recipe.packages],
        lambda percent: progress(f"{recipe.name}: 下载 downloading", percent),
    )
    archives = sorted((work / "cache" / "archives").glob("*.deb"))
    versions = dict(_name_and_version(archive) for archive in archives)
    _check_floors(recipe, versions)
    unpacked = work / "root"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    wanted = [archive for archive in archives if not archive.name.startswith(recipe.leave_out or ("/",))]
    _unpack(recipe.name, wanted, unpacked, progress)
    stamp = {"packages": list(recipe.packages), "suite": recipe.suite, "versions": versions}
    (unpacked / STAMP).write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    _put_in_place(unpacked, root)
    shutil.rmtree(work, ignore_errors=True)


def _name_and_version(archive: Path) -> tuple[str, str]:
    name, version, _architecture = archive.name.split("_", 2)
    return name, unquote(version)


def _check_floors(recipe: Recipe, versions: dict[str, str]) -> None:
    for name, floor in recipe.floors.items():
        if version_numbers(versions.get(name, "")) < floor:
            wanted, got = ".".join(map(str, floor)), versions.get(name, "-")
            raise SetupError(
                f"软件源里的 {name} 是 {got}，低于要求的 {wanted}，请用 IVR_DEBIAN_MIRROR 换一个镜像",
                f"the mirror's {name} is {got}, below the floor {wanted}: name another in IVR_DEBIAN_MIRROR",
            )


def _unpack(name: str, archives: list[Path], root: Path, progress: Progress) -> None:
    def one(archive: Path) -> None:
        done = subprocess.run(["dpkg", "-x", archive, root], capture_output=True, text=True)
        if done.returncode != 0:
            raise explain(done.stderr)

    with ThreadPoolExecutor(2) as pool:  # decompression is the work; more than two only fight over the disk
        for count, _ in enumerate(pool.map(one, archives), start=1):
            progress(f"{name}: 解包 unpacking", 100 * count / len(archives))
    for folder in NOT_NEEDED:
        shutil.rmtree(root / folder, ignore_errors=True)


def _put_in_place(unpacked: Path, root: Path) -> None:
    old = root.parent / f".{root.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if root.exists():
        os.replace(root, old)
    os.replace(unpacked, root)
    shutil.rmtree(old, ignore_errors=True)
