"""A big file over HTTP, for a centre on a poor line: what is there stays, and the next try goes on from it.

Resuming follows RFC 9110 §14: `Range` with `If-Range`, so that a file that changed on the server begins anew; a server
that does not know ranges answers 200 and is read from the start. Proxies come from the environment, as everywhere.
"""

from __future__ import annotations

import errno
import http.client
import json
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ivr.errors import PlainError

CHUNK = 256 * 1024
KEEP_FREE = 500_000_000
"""Bytes of disk that are never filled by a model: calls must go on being put on record."""
FRUITLESS_TRIES = 4
"""Tries in a row that bring not one byte; one that brings something is always followed by another."""
TIMEOUT_S = 30.0
"""For the connection and between two packets."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 8.0
"""Before the second try; doubled each time."""
STALL_S, STALL_BYTES = 60.0, 30_000
"""Less than this in a minute (0.5 kB/s) is no download: try another connection."""

Progress = Callable[[int, int | None], None]
"""Bytes so far, bytes in all when known."""


class FetchFailed(PlainError):
    """Not fetched; what was received stays for the next try, unless the sentence says otherwise."""


class _Again(Exception):
    """Something broke on the way that another try may mend."""


@dataclass(frozen=True, slots=True)
class Fetch:
    url: str
    part: Path
    """Grows here; renamed by nobody but the caller, after its own checks."""
    size: int | None
    """Bytes expected, when known."""
    limit: int
    """Bytes at most, whatever the server says."""
    progress: Progress

    @property
    def note(self) -> Path:
        """Beside the part: where it comes from and the server's validator (ETag or Last-Modified)."""
        return self.part.with_name(f"{self.part.name}.json")


def opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS only, also behind a redirect: never file: or ftp:."""
    director = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        director.add_handler(handler)
    return director


def fetch(wanted: Fetch) -> None:
    """Bring `part` to its full length.

    Raises:
        FetchFailed: one sentence; what arrived stays for the next try unless it cannot be part of this file.
    """
    if urlsplit(wanted.url).scheme not in ("http", "https"):
        raise FetchFailed(f"不是网址：{wanted.url}", f"not a web address: {wanted.url}")
    wanted.part.parent.mkdir(parents=True, exist_ok=True)
    if _noted(wanted).get("url") != wanted.url:
        discard(wanted.part)
    fruitless, pause, why = 0, FIRST_PAUSE_S, ""
    while fruitless < FRUITLESS_TRIES:
        before = _have(wanted.part)
        try:
            return _try(wanted)
        except _Again as broken:
            why = str(broken)
        if _have(wanted.part) > before:
            fruitless, pause = 0, FIRST_PAUSE_S
        else:
            fruitless += 1
        if fruitless < FRUITLESS_TRIES:
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
    host, have = urlsplit(wanted.url).netloc, _have(wanted.part)
    if have:
        raise FetchFailed(
            f"下载中断（{why}），已收到 {have / 1e6:.1f} MB；再执行一次会从这里继续",
            f"the download broke off ({why}) after {have / 1e6:.1f} MB; run it again to go on from there",
        )
    raise FetchFailed(
        f"连不上 {host}（{why}）：请检查网络，或在别的电脑下载 {wanted.url}，再用 --from 文件 安装",
        f"{host} cannot be reached ({why}): check the network, or fetch {wanted.url} elsewhere and use --from FILE",
    )


def fetch_small(url: str, limit: int) -> bytes | None:
    """A short text in one go; None when it cannot be had."""
    try:
        with opener().open(url, timeout=TIMEOUT_S) as reply:
            data: bytes = reply.read(limit + 1)
    except (OSError, http.client.HTTPException):
        return None
    return data if len(data) <= limit else None


def discard(part: Path) -> None:
    for file in (part, part.with_name(f"{part.name}.json")):
        file.unlink(missing_ok=True)


def _have(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _noted(wanted: Fetch) -> dict[str, Any]:
    try:
        noted = json.loads(wanted.note.read_text(encoding="utf-8"))
        return noted if isinstance(noted, dict) else {}
    except (OSError, ValueError):
        return {}


def _try(wanted: Fetch) -> None:
    have = _have(wanted.part)
    if wanted.size is not None and have == wanted.size:
        return
    headers = {"User-Agent": "yinling", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if validator := _noted(wanted).get("validator"):
            headers["If-Range"] = str(validator)
    request = urllib.request.Request(wanted.url, headers=headers)  # noqa: S310  # scheme checked, opener knows only HTTP
    try:
        with opener().open(request, timeout=TIMEOUT_S) as reply:
            _receive(wanted, reply, have)
    except urllib.error.HTTPError as refusal:
        _refused(wanted, refusal, have)
    except urllib.error.URLError as error:
        raise _Again(_plain(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Again(_plain(error)) from error


def _refused(wanted: Fetch, refusal: urllib.error.HTTPError, have: int) -> None:
    refusal.close()
    if refusal.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
        total = re.fullmatch(r"bytes \*/(\d+)", refusal.headers.get("Content-Range", ""))
        if total and int(total[1]) == have:
            return
        discard(wanted.part)
        raise _Again("文件已变 the file changed")
    if refusal.code >= 500 or refusal.code in (http.client.REQUEST_TIMEOUT, http.client.TOO_MANY_REQUESTS):
        raise _Again(f"HTTP {refusal.code}")
    raise FetchFailed(
        f"{wanted.url} 下载不了：服务器回答 {refusal.code}",
        f"{wanted.url} cannot be fetched: the server says {refusal.code}",
    )


def _receive(wanted: Fetch, reply: Any, have: int) -> None:
    start, total = 0, reply.headers.get("Content-Length")
    if reply.status == http.client.PARTIAL_CONTENT:
        given = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", reply.headers.get("Content-Range", ""))
        if given is None or int(given[1]) != have:
            discard(wanted.part)
            raise _Again("服务器给错了范围 the server sent another range")
        start, total = have, given[2]
    whole = int(total) if total is not None and str(total).isdigit() else None
    _check_size(wanted, whole)
    _check_disk(wanted, (whole or wanted.size or 0) - start)
    if not start:
        validator = reply.headers.get("ETag", "")
        if not validator or validator.startswith("W/"):  # a weak one says nothing about bytes
            validator = reply.headers.get("Last-Modified", "")
        wanted.note.write_text(json.dumps({"url": wanted.url, "validator": validator}), encoding="utf-8")
    done = _write(wanted, reply, start, whole)
    if whole is not None and done < whole:
        raise _Again("连接断开 the connection broke")


def _write(wanted: Fetch, reply: Any, done: int, whole: int | None) -> int:
    mark, marked = time.monotonic(), done
    with wanted.part.open("r+b" if done else "wb") as file:
        file.seek(done)
        while data := reply.read1(CHUNK):
            done += len(data)
            if done > wanted.limit or (wanted.size is not None and done > wanted.size):
                break
            try:
                file.write(data)
                file.flush()
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise
                discard(wanted.part)
                raise _full(wanted.part.parent) from error
            wanted.progress(done, whole or wanted.size)
            if time.monotonic() - mark > STALL_S:
                if done - marked < STALL_BYTES:
                    raise TimeoutError("太慢 too slow")
                mark, marked = time.monotonic(), done
    _check_size(wanted, done if whole is None or done > whole else None)
    return done


def _check_size(wanted: Fetch, whole: int | None) -> None:
    """`whole`: bytes in all, None while unknown."""
    if whole is None or (whole <= wanted.limit and wanted.size in (None, whole)):
        return
    discard(wanted.part)
    expected = f"{wanted.size}" if wanted.size is not None else f"≤ {wanted.limit}"
    raise FetchFailed(
        f"{wanted.url} 不是要的文件：有 {whole} 字节，应为 {expected}（是否被上网登录页拦住？）",
        f"{wanted.url} is not the file: {whole} bytes, not {expected} (a log-in page of the network?)",
    )


def _check_disk(wanted: Fetch, more: int) -> None:
    if shutil.disk_usage(wanted.part.parent).free < more + KEEP_FREE:
        raise _full(wanted.part.parent, more)


def _full(folder: Path, more: int = 0) -> FetchFailed:
    free = shutil.disk_usage(folder).free // 1_000_000
    need = (more + KEEP_FREE) // 1_000_000
    return FetchFailed(
        f"磁盘空间不足：{folder} 只剩 {free} MB，需要 {need} MB（要给通话记录留余地）",
        f"not enough disk: {free} MB free in {folder}, {need} MB needed (some is kept for the records of calls)",
    )


def _plain(error: object) -> str:
    if isinstance(error, TimeoutError):
        return str(error) if "slow" in str(error) else "超时 timed out"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
