"""`ivr model install`: an official model from the net, or any model from a file, checked, tried, and put in use.

In use only at the very end and by one rename; whatever fails before leaves the model of yesterday in place.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ivr.errors import PlainError
from ivr.settings import Settings
from ivr.speech.fetch import Fetch, discard, fetch, fetch_small
from ivr.speech.models import CHOSEN, INSTALLED, FoundModel, examine_model, models_dir
from ivr.speech.official import LIST_LIMIT, OFFICIAL, PUBLISHER, Official, listed_md5
from ivr.speech.trial import Trial, try_model
from ivr.speech.unpack import unpack

MOST_BYTES = 6_000_000_000
"""No Vosk model is larger; a file that is gets no further."""
RECEIPT = "yinling-model.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")

Progress = Callable[[str, int, int | None], None]
"""What is being done (zh · en), bytes so far, bytes in all when known."""


class InstallFailed(PlainError):
    """Not installed; the model in use stays in use."""


@dataclass(frozen=True, slots=True)
class Installed:
    model: FoundModel
    trial: Trial
    proof: tuple[str, str]
    """What the file was held against, in plain words (zh, en)."""


@dataclass(frozen=True, slots=True)
class Request:
    which: str = ""
    """small, big, or empty: small without a source, any model with one."""
    source: str = ""
    """A file, an http(s) address, or empty: the publisher's."""
    sha256: str = ""
    """Checksum that the person who asks wants to see."""
    publisher: str = PUBLISHER


def install(
    settings: Settings, request: Request, progress: Progress, *, trial: Callable[[Path], Trial] = try_model
) -> Installed:
    """Fetch, check, unpack, try and choose one model.

    Raises:
        PlainError: one sentence; nothing was changed.
    """
    official = OFFICIAL[request.which or "small"] if request.which or not request.source else None
    folder = models_dir(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            archive, fetched = _archive(folder, request, official, progress)
            try:
                proof = _prove(archive, request, official, progress)
            except PlainError:
                if fetched:
                    discard(archive)
                raise
            installed = _put(folder, archive, request, proof, progress, trial)
            if fetched:
                discard(archive)
            return installed
    except OSError as error:
        raise InstallFailed(
            f"无法写入 {folder}：{error.strerror}", f"{folder} cannot be written: {error.strerror}"
        ) from error


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InstallFailed("另一个 ivr model install 正在进行", "another ivr model install is at work") from None
        yield


def _archive(folder: Path, request: Request, official: Official | None, progress: Progress) -> tuple[Path, bool]:
    """The zip file, and whether it is ours to remove."""
    if request.source and urlsplit(request.source).scheme not in ("http", "https"):
        archive = Path(request.source).expanduser()
        if archive.is_dir():
            raise InstallFailed(
                f"{archive} 是目录：请在设置 speech_model_dir 里写它，不必安装",
                f"{archive} is a folder: name it in setting speech_model_dir, nothing is to be installed",
            )
        if not archive.is_file():
            raise InstallFailed(f"找不到文件 {archive}", f"no such file: {archive}")
        return archive, False
    url = request.source or f"{request.publisher}/{official.file if official else ''}"
    part = folder / ".download" / f"{_safe_name(Path(urlsplit(url).path).stem)}.zip"
    size = official.size if official else None
    fetch(Fetch(url, part, size, MOST_BYTES, lambda done, total: progress("下载 fetching", done, total)))
    return part, True


def _prove(archive: Path, request: Request, official: Official | None, progress: Progress) -> tuple[str, str]:
    expected = request.sha256.lower() or (official.sha256 if official else "")
    if expected:
        found = digest(archive, "sha256", progress)
        if found != expected:
            raise wrong_sum(archive, "SHA-256", found, expected)
        return "SHA-256 相符", "its SHA-256 is right"
    if official is not None:
        listed = listed_md5(fetch_small(f"{request.publisher}/model-list.json", LIST_LIMIT) or b"", official.name)
        if listed is not None:
            found = digest(archive, "md5", progress)
            if found != listed[0]:
                raise wrong_sum(archive, "MD5", found, listed[0])
            return "MD5 与发布者的清单相符", "its MD5 is the one in the publisher's list"
    elif digest(archive, "sha256", progress) == OFFICIAL["small"].sha256:
        return "SHA-256 是官方小模型的", "its SHA-256 is the official small model's"
    return (
        "没有可比对的校验和，只检查了结构并试装",
        "no checksum is known for it: only its structure was checked, and that Vosk loads it",
    )


def wrong_sum(archive: Path, kind: str, found: str, expected: str) -> InstallFailed:
    return InstallFailed(
        f"{archive.name} 校验不符（{kind} {found}，应为 {expected}），未安装",
        f"{archive.name} is damaged or another file: {kind} {found}, not {expected}; not installed",
    )


def digest(path: Path, kind: str, progress: Progress) -> str:
    sum_of, done, total = hashlib.new(kind, usedforsecurity=False), 0, path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            sum_of.update(piece)
            done += len(piece)
            progress("校验 checking", done, total)
    return sum_of.hexdigest()


def _put(
    folder: Path, archive: Path, request: Request, proof: tuple[str, str], progress: Progress,
    trial: Callable[[Path], Trial],
) -> Installed:  # fmt: skip
    fresh = folder / ".new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        root = unpack(archive, fresh, lambda done, total: progress("展开 unpacking", done, total))
        examine_model(root, INSTALLED)
        progress("试装 trying", 0, None)
        tried = trial(root)
        name = _safe_name(archive.stem if root == fresh else root.name)
        receipt = {
            "source": request.source or "official",
            "checked": proof[1],
            "memory_mb": tried.memory_mb,
            "installed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (root / RECEIPT).write_text(json.dumps(receipt, indent=1) + "\n", encoding="utf-8")
        exchange(root, folder / name)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    _choose(folder, name)
    return Installed(examine_model(folder / name, INSTALLED), tried, proof)


def exchange(new: Path, place: Path) -> None:
    """A model of the same name steps aside for a moment: a worker that has it loaded keeps its files open."""
    for file in new.rglob("*"):
        if file.is_file():
            with file.open("rb") as written:
                os.fsync(written.fileno())
    new.chmod(0o755)
    old = place.with_name(f".old-{place.name}")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    new.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _choose(folder: Path, name: str) -> None:
    fresh = folder / f".{CHOSEN}.new"
    fresh.write_text(name + "\n", encoding="utf-8")
    fresh.replace(folder / CHOSEN)


def _safe_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else "model-" + hashlib.sha256(name.encode()).hexdigest()[:12]
