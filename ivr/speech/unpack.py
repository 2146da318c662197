"""A model out of its zip archive. The archive is a stranger's: nothing is written outside, no bomb goes off."""

from __future__ import annotations

import errno
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ivr.errors import PlainError
from ivr.speech.fetch import KEEP_FREE

MOST_FILES = 2000
MOST_BYTES = 20_000_000_000
MOST_TIMES = 40
"""Unpacked at most so many times the archive's size; models (numbers, mostly) pack to a half or a third."""
PIECE = 1 << 20
IGNORED = ("__MACOSX",)

Progress = Callable[[int, int | None], None]


class BadArchive(PlainError):
    """Not an archive we unpack; nothing of it was kept."""


def unpack(archive: Path, target: Path, progress: Progress) -> Path:
    """Unpack into `target`, which must not exist; returns the folder in it that holds everything.

    Raises:
        BadArchive: one sentence. `target` is left as it is: the caller removes it.
    """
    try:
        with zipfile.ZipFile(archive) as box:
            members = _checked(archive, box)
            _check_disk(target.parent, sum(member.file_size for member in members))
            target.mkdir(mode=0o700)
            _write(box, members, target, progress)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError, ValueError) as error:
        raise BadArchive(
            f"{archive.name} 不是完好的 zip 文件（{error}）", f"{archive.name} is not a sound zip file ({error})"
        ) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise _full(target.parent, 0) from error
    inside = list(target.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else target


def _checked(archive: Path, box: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = [m for m in box.infolist() if not m.is_dir() and PurePosixPath(m.filename).parts[:1] != IGNORED]
    total = sum(member.file_size for member in members)
    if len(members) > MOST_FILES or total > min(MOST_BYTES, MOST_TIMES * max(archive.stat().st_size, PIECE)):
        raise BadArchive(
            f"{archive.name} 展开后太大（{len(members)} 个文件，{total} 字节），不像语音模型",
            f"{archive.name} would unpack to {len(members)} files, {total} bytes: not a speech model",
        )
    seen: set[str] = set()
    for member in members:
        _check_name(archive, member)
        if member.filename in seen:
            raise _bad(archive, "同名文件", "the same name twice")
        seen.add(member.filename)
    return members


def _check_name(archive: Path, member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or ":" in path.parts[0]:
        raise _bad(archive, "路径指向别处", "a path that leads elsewhere")
    if any(len(part.encode()) > 200 or not part.isprintable() for part in path.parts):
        raise _bad(archive, "文件名不对", "a name that is no file name")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise _bad(archive, "链接或设备", "a link or a device")
    if member.flag_bits & 1:
        raise _bad(archive, "加密文件", "an encrypted file")


def _bad(archive: Path, zh: str, en: str) -> BadArchive:
    return BadArchive(f"{archive.name} 里有{zh}，未安装", f"{archive.name} holds {en}: not installed")


def _write(box: zipfile.ZipFile, members: list[zipfile.ZipInfo], target: Path, progress: Progress) -> None:
    total, done = sum(member.file_size for member in members), 0
    for member in members:
        file = target / member.filename
        file.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        # zipfile compares the checksum at the end of each member and raises BadZipFile.
        with box.open(member) as source, file.open("xb") as out:
            while piece := source.read(PIECE):
                written += len(piece)
                if written > member.file_size:
                    raise zipfile.BadZipFile("longer than it says")
                out.write(piece)
                progress(done + written, total)
        done += written


def _check_disk(folder: Path, more: int) -> None:
    if shutil.disk_usage(folder).free < more + KEEP_FREE:
        raise _full(folder, more)


def _full(folder: Path, more: int) -> BadArchive:
    free, need = shutil.disk_usage(folder).free // 1_000_000, (more + KEEP_FREE) // 1_000_000
    return BadArchive(
        f"磁盘空间不足：{folder} 只剩 {free} MB，展开需要 {need} MB",
        f"not enough disk: {free} MB free in {folder}, {need} MB needed to unpack",
    )
