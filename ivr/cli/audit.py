"""`ivr audit verify|anchor|export`: the record of incidents, held against itself and given away."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.record.verify import Report
    from ivr.settings import Settings

WHAT = {
    "changed": ("内容被改动", "changed"),
    "missing": ("此行之前有记录缺失", "rows are missing before this one"),
    "inserted": ("插入的行", "inserted"),
    "moved": ("顺序被调换", "moved out of its order"),
    "cut_at_the_end": ("末尾被截断，此行之后缺失", "cut at the end, after this row"),
    "head_differs": ("与事件上登记的末尾不符", "the last hash is not the one on the incident"),
    "seal_differs": ("与关闭时的封存不符", "not what was sealed at the closing"),
    "anchor_differs": ("与存档的锚点不符", "not what the anchor says"),
    "incident_missing": ("事件本身的行不见了", "the incident's own row is missing"),
    "audio_missing": ("录音文件不见了", "the recording is missing"),
    "audio_changed": ("录音文件被改动", "the recording was changed"),
}


def add(commands: Any) -> None:
    group = commands.add_parser("audit", help="核对和导出事件记录 check and export the record of incidents")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="核对散列链 check the hash chains")
    verify.add_argument("incident", nargs="*", help="事件编号，不写则全部 ids; none: all")
    verify.add_argument("--anchors", type=Path, action="append", default=[], metavar="FILE")
    verify.add_argument("--without-audio", action="store_true", help="不核对录音文件 do not read the recordings")
    verify.set_defaults(run=run_verify)
    anchor = actions.add_parser("anchor", help="导出各链末尾的散列 export the heads, to be kept elsewhere")
    anchor.add_argument("--to", type=Path, metavar="FILE", required=True)
    anchor.set_defaults(run=run_anchor)
    export = actions.add_parser("export", help="导出一个事件 export one incident with its audio")
    export.add_argument("incident")
    export.add_argument("--to", type=Path, metavar="FILE", required=True)
    export.set_defaults(run=run_export)


def run_verify(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio

    from ivr.record.shelf import Shelf
    from ivr.record.verify import verify
    from ivr.store.audit import SqlChains
    from ivr.store.db import Store

    anchors = _read_anchors(args.anchors)
    wanted = [one.strip().upper() for one in args.incident]
    shelf = None if args.without_audio else Shelf(settings.recordings_dir)

    async def go() -> Report:
        async with Store(settings.effective_database_url) as store:
            return await verify(SqlChains(store), wanted, anchors=anchors, shelf=shelf, tell=_Progress())

    return _say(_answered(asyncio.run, go()))


def run_anchor(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio

    from ivr.errors import UsageError

    content, digest, count = _answered(asyncio.run, _anchor(settings))
    try:
        with args.to.open("xb") as file:  # an older anchor is never written over
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"无法写入 {args.to}：{error.strerror}", f"cannot write {args.to}: {error.strerror}"
        ) from error
    print(digest)  # alone on standard output: to be printed, or sent elsewhere
    print(
        f"{count} 条链已写入 {args.to}，请存放在别处，并另记上面的散列 · "
        f"{count} chains in {args.to}: keep it elsewhere, and the digest apart from it",
        file=sys.stderr,
    )
    return 0


async def _anchor(settings: Settings) -> tuple[bytes, str, int]:
    from datetime import UTC, datetime

    from ivr.record import anchors
    from ivr.store.audit import SqlChains
    from ivr.store.db import Store
    from ivr.store.journal import Journal

    async with Store(settings.effective_database_url) as store:
        heads = await SqlChains(store).heads()
        content, digest = anchors.write(heads, datetime.now(UTC))
        await Journal(store).note("audit.anchored", chains=len(heads), sha256=digest)
    return content, digest, len(heads)


def run_export(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio
    import getpass

    from agent_console.export.take import NoIncident, export_to
    from ivr.errors import UsageError

    try:
        _answered(asyncio.run, export_to(settings, args.incident.strip().upper(), args.to, by=getpass.getuser()))
    except NoIncident:
        raise UsageError(f"没有事件 {args.incident}", f"no such incident: {args.incident}") from None
    except OSError as error:
        raise UsageError(
            f"无法写入 {args.to}：{error.strerror}", f"cannot write {args.to}: {error.strerror}"
        ) from error
    print(args.to)
    return 0


def _read_anchors(files: list[Path]) -> dict[str, list[tuple[int, str]]]:
    from ivr.errors import UsageError
    from ivr.record import anchors

    kept: dict[str, list[tuple[int, str]]] = {}
    for file in files:
        try:
            if file.stat().st_size > anchors.MOST:
                raise anchors.BadAnchors("too large")
            found = anchors.read(file.read_bytes())
        except (OSError, anchors.BadAnchors) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"锚点文件 {file} 不能用：{why}", f"anchor file {file}: {why}") from None
        print(f"{file}: {found.made_at} {found.digest}", file=sys.stderr)
        for incident, head in found.heads.items():
            kept.setdefault(incident, []).append(head)
    return kept


def _answered(run: Any, work: Any) -> Any:
    from ivr.errors import UsageError
    from ivr.services.ports import StoreUnavailable

    try:
        return run(work)
    except StoreUnavailable as error:
        raise UsageError(f"数据库无法使用：{error}", f"the database cannot be used: {error}") from error


class _Progress:
    """One line on a terminal, every ten seconds elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = time.monotonic()

    def __call__(self, done: int, every: int) -> None:
        now = time.monotonic()
        if now - self._last < (0.5 if self._terminal else 10.0):
            return
        self._last = now
        print(f"{done} / {every}", end="\r" if self._terminal else "\n", file=sys.stderr, flush=True)


def _say(report: Report) -> int:
    for one in report.broken:
        zh, en = WHAT.get(one.what, (one.what, one.what))
        print(f"{one.incident_id} seq {one.seq}: {zh} · {en}")
    for incident in report.unknown:
        print(f"{incident[:40]!a}: 没有这个事件 · no such incident")
    if report.older:
        print(
            f"{report.older} 条记录早于散列链（到 seq {report.older_until}），不在核对之内 · "
            f"{report.older} events are older than the chains (up to seq {report.older_until}) and not covered"
        )
    count = f"{report.incidents} 个事件，{report.events} 条记录，{report.audio} 个录音"
    english = f"{report.incidents} incidents, {report.events} events, {report.audio} recordings"
    if report.whole:
        print(f"完整 whole: {count} · {english}")
        return 0
    bad = len(report.broken) + len(report.unknown)
    print(f"不完整 BROKEN: {bad} 处 · {bad} faults; {count} · {english}")
    return 1
