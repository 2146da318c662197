"""Calls that only the lifeline saw: none is forgotten, and no file stops the engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ivr.alarms import spool
from ivr.alarms.spool import RESERVED, SpoolWatch, keep_reserve, parse
from ivr.asterisk import lifeline_agi
from ivr.domain.incident import ArrivedCall
from ivr.services.ticket_desk import TicketDesk
from tests.doubles.memory_store import MemoryCalls, MemoryIncidents, MemoryTickets
from tests.doubles.patience import until

DEVICE = "13900007777"


class Engine:
    """A spool folder and what the engine made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.story: list[str] = []
        self.incidents, self.tickets = MemoryIncidents(self.story), MemoryTickets(self.story, DEVICE)
        calls = MemoryCalls(self.story)
        desk = TicketDesk(self.tickets, calls)
        self.watch = SpoolWatch(folder, "node1", "12349120", self.incidents, desk, calls)

    def file(self, name: str, content: bytes | None = None, **fields: str) -> Path:
        record = {"at": "2024-05-06T03:00:00+00:00", "uniqueid": name, "linkedid": name, "did": "12349", **fields}
        path = self.folder / f"{name}.json"
        path.write_bytes(json.dumps(record).encode() if content is None else content)
        return path

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.watch.run())
        try:
            yield
            assert not task.done(), "the watch itself never ends"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(spool, "POLL_S", 0.02)
    return Engine(tmp_path)


@pytest.mark.parametrize(
    "fields",
    [
        {"did": "12349120", "caller_id": "02150001111"},
        {"caller_id": DEVICE},
        {"room": "01ROOM", "caller_id": ""},
        {"cried": "1", "caller_id": "02150001111"},
    ],
    ids=["one-key line", "device", "was in the emergency flow", "cried for help on the hotline"],
)
async def test_an_emergency_is_an_incident_that_somebody_must_look_at(engine: Engine, fields: dict[str, str]) -> None:
    path = engine.file("1.1", **fields)
    async with engine.running():
        await until(lambda: not path.exists())
    (alarm,) = engine.incidents.alarms
    assert alarm.needs_look
    assert alarm.source == "lifeline"
    assert alarm.idempotency_key == "call:node1:1.1", "what the engine saw of this call is the same alarm"


async def test_an_ordinary_call_is_a_ticket_that_wants_a_call_back(engine: Engine) -> None:
    path = engine.file("1.2", caller_id="+8602150001111")
    async with engine.running():
        await until(lambda: not path.exists())
    assert engine.story == ["ticket 02150001111", "call C1 lifeline call-back"]


async def test_while_the_database_is_away_the_file_stays(engine: Engine) -> None:
    path = engine.file("1.1", did="12349120")
    engine.incidents.away = True
    async with engine.running():
        await asyncio.sleep(0.1)
        assert path.exists()
        engine.incidents.away = False
        await until(lambda: not path.exists())
    assert len(engine.incidents.alarms) == 1


async def test_a_fault_of_ours_or_of_the_database_never_puts_a_cry_for_help_aside(engine: Engine) -> None:
    path, other = engine.file("1.1", caller_id="123"), engine.file("1.2", did="12349120")
    opens, failures = engine.tickets.open_for_call, [OSError("disk"), RuntimeError("unforeseen"), ValueError("of ours")]

    async def fails(arrived: ArrivedCall) -> tuple[str, str] | None:
        if failures:
            raise failures.pop()
        return await opens(arrived)

    engine.tickets.open_for_call = fails  # type: ignore[method-assign]
    async with engine.running():
        await until(lambda: not path.exists() and not other.exists())
    assert list(engine.folder.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"uniqueid": ""}',
        b'{"uniqueid": 7}',
        b'{"uniqueid": "1", "at": "yesterday"}',
        b"[" * 9000,
        b"x" * 20_000,
        b"\xff\xfe",
    ],
)
async def test_a_file_that_is_none_is_kept_aside_and_the_next_is_taken(engine: Engine, content: bytes) -> None:
    bad, good = engine.file("0", content), engine.file("1.1", did="12349120")
    async with engine.running():
        await until(lambda: not good.exists() and not bad.exists())
    assert [path.name for path in engine.folder.iterdir()] == ["0.bad"], "kept for a person to look at"
    assert len(engine.incidents.alarms) == 1


def test_with_the_disk_full_a_call_is_written_on_a_blank_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    keep_reserve(spool)
    reserve = tmp_path / "spool-reserve"
    assert len(list(reserve.glob("*.blank"))) == RESERVED

    def full(**_: object) -> tuple[int, str]:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as now:
        now.setattr(lifeline_agi.tempfile, "mkstemp", full)
        record = {"at": "", "uniqueid": "17.1", "linkedid": "17.1", "did": "12349120", "caller_id": "021", "room": ""}
        made = lifeline_agi.write_spool(spool, record)
        for path in reserve.iterdir():
            path.unlink()
        with pytest.raises(OSError, match="No space"):
            lifeline_agi.write_spool(spool, record | {"uniqueid": "17.2"})
    found = parse(made.read_bytes(), "node1")
    assert (found.arrived.uniqueid, found.arrived.did, found.arrived.caller_id) == ("17.1", "12349120", "021")
    assert [path.name for path in spool.iterdir()] == ["17.1.json"]
    keep_reserve(spool)
    assert len(list(reserve.iterdir())) == RESERVED, "filled up again"
