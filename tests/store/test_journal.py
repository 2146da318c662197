"""The journal is read in the order of commits, by whoever follows it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from ivr.store.db import Store
from ivr.store.doorbell import Doorbell
from ivr.store.journal import Event, Journal
from tests.store.processes import go, start_writer


async def _follow(store: Store, wanted: int) -> list[Event]:
    seen: list[Event] = []
    async for batch in Journal(store).follow(0):
        seen += batch
        if len(seen) >= wanted:
            return seen
    raise AssertionError("a follower never ends by itself")


async def test_follower_never_misses_an_event_of_two_processes(store: Store, url: str) -> None:
    """A number that appears behind the follower's cursor would be lost for ever."""
    following = asyncio.create_task(_follow(store, 1000))
    writers = [await start_writer(url, name, 500) for name in ("left", "right")]
    for writer in writers:
        go(writer)
    outputs = await asyncio.gather(*(writer.communicate() for writer in writers))
    assert [writer.returncode for writer in writers] == [0, 0]
    assert all(len(out.split()) == 500 for out, _ in outputs)

    async with asyncio.timeout(60):
        seen = await following
    numbers = [one.seq for one in seen]
    assert numbers == sorted(set(numbers))
    for name in ("left", "right"):
        assert sorted(one.data["number"] for one in seen if one.data["writer"] == name) == list(range(500))
    first_half = {one.data["writer"] for one in seen[:800]}
    assert first_half == {"left", "right"}, "the two did not write at the same time"


async def test_doorbell_wakes_the_other_process(store: Store, other: Store) -> None:
    waits = []
    for _ in range(20):
        waiting = asyncio.create_task(_timed(other.doorbell.wait(10)))
        await asyncio.sleep(0.01)
        await store.write(lambda tx: tx.event("node.started"))
        rung = time.perf_counter()
        waits.append(await waiting - rung)
    assert sorted(waits)[10] < 0.2


async def test_change_without_events_rings_nobody(store: Store, other: Store) -> None:
    await store.write(lambda tx: None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await other.doorbell.wait(10)


async def test_poll_works_without_the_doorbell(store: Store, other: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Doorbell, "ring", lambda self: None)
    following = asyncio.create_task(_follow(other, 1))
    await asyncio.sleep(0.05)
    await store.write(lambda tx: tx.event("node.started"))
    async with asyncio.timeout(3):  # the poll is each second
        (seen,) = await following
    assert seen.kind == "node.started"


async def test_second_process_of_a_name_lives_on_the_poll(url: str, store: Store) -> None:
    async with Store(url, name="engine") as second:
        following = asyncio.create_task(_follow(second, 1))
        await asyncio.sleep(0.05)
        await store.write(lambda tx: tx.event("node.started"))
        async with asyncio.timeout(3):
            assert len(await following) == 1


async def test_follower_may_leave_out_what_does_not_concern_it(store: Store, other: Store) -> None:
    """The engine acts on incidents and seats; a busy line's ordinary calls must not cost it a read each."""
    journal = Journal(store)
    following = asyncio.create_task(anext(journal.follow(0, besides_incidents=("agent.state_changed",))))
    await asyncio.sleep(0.1)
    await journal.note("call.arrived", call_id="C1")
    await asyncio.sleep(0.1)
    assert not following.done()
    began = time.monotonic()
    await Journal(other).note("agent.state_changed", extension="1001")
    await journal.note("incident.opened", incident_id="I1")
    batch = await following
    assert time.monotonic() - began < 0.8, "woken by the bell, not by the poll"
    assert {one.kind for one in batch} <= {"agent.state_changed", "incident.opened"}


async def test_feed_pages_and_filters(store: Store) -> None:
    journal = Journal(store)
    for number in range(25):
        await journal.note("node.started", incident_id="I1" if number % 5 == 0 else None, number=number)
    first = await journal.after(0, limit=10)
    second = await journal.after(first[-1].seq, limit=10)
    assert [one.data["number"] for one in first + second] == list(range(20))
    assert [one.data["number"] for one in await journal.after(0, incident_id="I1")] == [0, 5, 10, 15, 20]
    assert await journal.last_seq() == (await journal.after(0))[-1].seq
    assert await journal.after(await journal.last_seq()) == []


async def test_data_keeps_chinese_and_nesting(store: Store) -> None:
    data: dict[str, Any] = {"text": "救命 🆘", "nested": {"a": [1, None, True]}}
    await Journal(store).note("speech.heard", **data)
    (found,) = await Journal(store).after(0)
    assert found.data == data


async def _timed(wait: Any) -> float:
    await wait
    return time.perf_counter()
