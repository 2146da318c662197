"""The one writer of a process: group commit, and changes that hurt nobody but themselves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event as sa_event
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from ivr.store import writer
from ivr.store.db import Store
from ivr.store.journal import Journal
from ivr.store.tables import counter, event
from ivr.store.tx import Tx


def _one(tx: Tx, **data: Any) -> None:
    tx.event("node.started", **data)


async def _committed(store: Store) -> None:
    """Return once an event is there, seen by another process's eyes; ten tries a second, at most three seconds."""
    for _ in range(30):
        if await Journal(store).last_seq():
            return
        await asyncio.sleep(0.1)
    pytest.fail("nothing was committed")


@pytest.fixture
def commits(store: Store) -> Iterator[list[object]]:
    seen: list[object] = []
    count = seen.append
    sa_event.listen(store._writing, "commit", count)
    yield seen
    sa_event.remove(store._writing, "commit", count)


async def test_many_writes_share_few_commits(store: Store, commits: list[object]) -> None:
    await asyncio.gather(*(store.write(lambda tx: tx.event("node.started")) for _ in range(500)))
    async with store.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(event)) == 500
    assert len(commits) <= 25


async def test_what_nobody_waits_for_rides_with_the_next_commit(store: Store, commits: list[object]) -> None:
    await store.write(_one)
    before = len(commits)
    store.write_later(partial(_one, number=1))
    await store.write(partial(_one, number=2))
    assert [one.data.get("number") for one in await Journal(store).after(0)] == [None, 1, 2]
    assert len(commits) == before + 1


async def test_what_nobody_waits_for_is_written_without_another_commit_and_when_the_store_closes(
    store: Store, other: Store
) -> None:
    store.write_later(_one)
    await _committed(other)
    store.write_later(_one)
    await store._writer.stop()
    assert await Journal(other).last_seq() == 2


async def test_what_nobody_waits_for_is_tried_again_while_the_database_is_away(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LATER_AGAIN_S", 0.01)
    tries = []

    def away_at_first(tx: Tx) -> None:
        tries.append(1)
        if len(tries) < 4:
            raise OSError("the database is away")
        tx.event("node.started")

    store.write_later(away_at_first)
    await _committed(other)
    assert len(tries) == 4


async def test_result_comes_after_the_commit(store: Store, other: Store) -> None:
    for number in range(20):
        await store.write(partial(_one, number=number))
        assert await Journal(other).last_seq() == number + 1


async def test_failing_change_hurts_nobody_else(store: Store, commits: list[object]) -> None:
    def good(tx: Tx) -> None:
        tx.event("node.started")

    def bad_after_writing(tx: Tx) -> None:
        tx.conn.execute(insert(counter).values(name="half", value=1))
        tx.event("node.stopped")
        raise RuntimeError("a bug")

    def taken(tx: Tx) -> None:
        tx.event("node.stopped")
        tx.conn.execute(insert(counter).values(name="ticket", value=1))

    await store.write(lambda tx: tx.conn.execute(insert(counter).values(name="ticket", value=7)))
    jobs = [store.write(change) for _ in range(10) for change in (good, bad_after_writing, taken)]
    results = await asyncio.gather(*jobs, return_exceptions=True)

    assert results[0::3] == [None] * 10
    assert all(isinstance(result, RuntimeError) for result in results[1::3])
    assert all(isinstance(result, IntegrityError) for result in results[2::3])
    assert [one.kind for one in await Journal(store).after(0)] == ["node.started"] * 10
    async with store.read() as conn:
        assert (await conn.execute(select(counter.c.name, counter.c.value))).all() == [("ticket", 7)]
    assert len(commits) < 10


async def test_events_of_one_change_stay_together(store: Store) -> None:
    def three(tx: Tx, name: int) -> None:
        for part in range(3):
            tx.event("node.started", name=name, part=part)

    await asyncio.gather(*(store.write(partial(three, name=n)) for n in range(50)))
    found = await Journal(store).after(0)
    assert [(one.data["part"]) for one in found] == [0, 1, 2] * 50
    assert all(len({one.data["name"] for one in found[at : at + 3]}) == 1 for at in range(0, 150, 3))


async def test_two_writers_can_not_deadlock(store: Store, other: Store) -> None:
    """Row first, journal second in one process; the other way round in the other."""

    def row_then_event(tx: Tx) -> None:
        tx.conn.execute(counter.update().where(counter.c.name == "ticket").values(value=counter.c.value + 1))
        time.sleep(0.002)
        tx.event("node.started")

    await store.write(lambda tx: tx.conn.execute(insert(counter).values(name="ticket", value=0)))
    started = time.monotonic()
    await asyncio.gather(*(one.write(row_then_event) for _ in range(100) for one in (store, other)))
    async with store.read() as conn:
        assert await conn.scalar(select(counter.c.value)) == 200
    assert time.monotonic() - started < 10


async def test_look_and_write_in_one_turn(store: Store, other: Store) -> None:
    """What a change has looked at still holds when it writes, whoever else writes."""

    def add_one(tx: Tx) -> None:
        value = tx.conn.scalar(select(counter.c.value)) or 0
        time.sleep(0.001)
        if value == 0:
            tx.conn.execute(insert(counter).values(name="x", value=1))
        else:
            tx.conn.execute(counter.update().values(value=value + 1))

    await asyncio.gather(*(one.write(add_one) for _ in range(50) for one in (store, other)))
    async with store.read() as conn:
        assert await conn.scalar(select(counter.c.value)) == 100
