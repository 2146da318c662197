"""What was acknowledged is there, however the writing process ends."""

from __future__ import annotations

import asyncio

import pytest

from ivr.store.db import Store
from ivr.store.journal import Journal
from tests.store.processes import go, start_writer


@pytest.mark.parametrize("after_acks", [1, 60, 300])
async def test_everything_acknowledged_survives_kill_9(url: str, after_acks: int) -> None:
    writer = await start_writer(url, "victim")
    assert writer.stdout is not None
    go(writer)
    acknowledged = [int(await writer.stdout.readline()) for _ in range(after_acks)]
    writer.kill()
    rest, _ = await writer.communicate()
    # The last line may be torn; what ends with a line feed was printed after its commit.
    acknowledged += [int(line) for line in rest[: rest.rfind(b"\n") + 1].split()]

    async with Store(url, name="engine", write_timeout_s=20) as store:
        journal = Journal(store)
        stored: list[int] = []
        seq = 0
        while batch := await journal.after(seq):
            stored += [one.data["number"] for one in batch]
            seq = batch[-1].seq
        assert set(acknowledged) <= set(stored)
        assert len(stored) == len(set(stored))
        await store.write(lambda tx: tx.event("node.started"))  # and the database works
        assert await journal.last_seq() > seq


async def test_closing_finishes_what_is_under_way(url: str) -> None:
    async with Store(url, name="engine", write_timeout_s=20) as store:
        jobs = [asyncio.create_task(store.write(lambda tx: tx.event("node.stopped"))) for _ in range(20)]
        await asyncio.gather(*jobs)
    async with Store(url, name="engine") as store:
        assert len(await Journal(store).after(0)) == 20
