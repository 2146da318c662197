"""The clock set back: two processes with one database put no event before another that is on record."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from ivr import clock as clocks
from ivr.clock import Clock
from ivr.store import journal as journals
from ivr.store import tx, writer
from ivr.store.db import Store
from ivr.store.journal import Journal


async def test_what_is_written_later_is_not_earlier(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process is an hour ahead; this one, started since, was ahead by less."""
    ours = Clock()
    ours.not_before(datetime.now(UTC) + timedelta(minutes=30))
    for room in (clocks, journals, writer):
        monkeypatch.setattr(room, "clock", ours, raising=True)
    assert tx.clock.now is clocks.now
    ahead = datetime.now(UTC) + timedelta(hours=1)
    journal = Journal(store)

    def theirs(change: tx.Tx) -> None:
        change.event("node.started", at=ahead)

    await store.write(theirs)
    await journal.note("node.stopped")
    first, second = (await journal.after(0))[-2:]
    assert first.at == ahead.replace(microsecond=first.at.microsecond)
    assert first.at <= second.at < first.at + timedelta(minutes=1)


async def test_who_reads_the_journal_goes_on_from_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = Clock(lambda: 1_000_000.0, time.monotonic)
    monkeypatch.setattr(journals, "clock", ours)
    ahead = datetime.fromtimestamp(1_000_000, UTC) + timedelta(minutes=5)

    def theirs(change: tx.Tx) -> None:
        change.event("node.started", at=ahead)

    await store.write(theirs)
    async for batch in Journal(store).follow(0):
        assert batch
        break
    assert timedelta() <= ours.now() - ahead < timedelta(minutes=1)
