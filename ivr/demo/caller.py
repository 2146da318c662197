"""`ivr demo press|call`: the elder's telephone dials; what happens is told, and what each side heard is kept."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from ivr.demo import people
from ivr.demo.report import report
from ivr.demo.story import Story
from ivr.demo.town import Town, read_status
from ivr.domain.incident import AlreadyClosed
from ivr.errors import UsageError
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.tables import incident

LINE = "elder"
LOOK_S = 0.2
LINE_LOOK_S = 2.0
LONGEST_S = 180.0
AFTER_S = 4.0
"""The other legs end after the elder's."""
PERSON_SPEAKS_S = 5.0


async def press(settings: Settings) -> bool:
    """The elder presses the pendant; True when a person of the centre was heard and one of the family came."""
    return await _place(settings, "press", settings.one_key_number)


async def call(settings: Settings) -> bool:
    """The elder calls the hotline; True when an agent was heard."""
    return await _place(settings, "call", settings.hotline_number)


async def _place(settings: Settings, kind: str, number: str) -> bool:
    status = read_status(settings)
    town = Town.of(settings)
    if status is None or town is None or await town.cli("core show uptime") is None:
        raise UsageError(
            "模拟电话网没有运行：请用 ivr run --demo 启动系统",
            "the demo network is not running: start the system with ivr run --demo",
        )
    run = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = settings.heard_dir / run
    with _only_call(settings.data_dir.resolve() / "run" / "demo-call.lock"):
        async with Store(settings.effective_database_url, name="demo") as store:
            journal = Journal(store)
            if kind == "press":
                await _close_last(store)
            seq = await journal.last_seq()
            async with _call_of(town, run, kind):
                zh, en = (
                    ("王秀英 按下呼叫器", "the elder presses the pendant")
                    if kind == "press"
                    else ("王秀英 拨打热线", "the elder calls the hotline")
                )
                story = Story(store, number, datetime.now(UTC))
                story.say(story.began, f"{zh}：{people.ELDER} → {number}", en)
                await town.dial(LINE, number, kind)
                await _watch(story, journal, seq, town, run, status.seat)
            return report(settings, story, folder, kind, status.seat)


async def _watch(story: Story, journal: Journal, seq: int, town: Town, run: str, seat: str | None) -> None:
    """Until the elder's line is free again and the last leg has ended."""
    loop = asyncio.get_running_loop()
    began = looked = loop.time()
    over: float | None = None
    spoken = False
    while loop.time() - began < LONGEST_S:
        seq = await story.follow(journal, seq)
        now = loop.time()
        if over is None and now - looked > LINE_LOOK_S:
            looked = now
            if story.ended or await town.hung_up(LINE):
                over = now
        if not spoken and story.answered_by not in (None, seat, "duty") and story.agent_at is not None:
            spoken = (datetime.now(UTC) - story.agent_at).total_seconds() > PERSON_SPEAKS_S
            if spoken:
                await town.say_agent_spoke(run)
        if over is not None and ((story.ended and story.empty_room) or now - over > AFTER_S):
            await asyncio.sleep(0.5)  # recordings are written out after the hang-up
            await story.follow(journal, seq)
            return
        await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def _call_of(town: Town, run: str, kind: str) -> AsyncIterator[None]:
    await town.begin(run, kind)
    try:
        yield
    finally:  # Ctrl-C too: nobody is left hanging on
        await town.hang_up(LINE)
        await town.end()


async def _close_last(store: Store) -> None:
    """An incident that an earlier press left open would take this press in: nobody would be dialled anew."""
    query = select(incident.c.id).where(incident.c.state == "open", incident.c.elder_no == people.ELDER_NO)
    async with store.read() as conn:
        left_open = list(await conn.scalars(query))
    for incident_id in left_open:
        with contextlib.suppress(AlreadyClosed):
            await SqlIncidents(store).close(
                incident_id, by="ivr demo press", outcome="test", reason="上一次演示 the demo before this one"
            )


@contextlib.contextmanager
def _only_call(path: Path) -> Iterator[None]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError("另一个演示电话还没有结束", "another demo call is still under way") from None
        yield
