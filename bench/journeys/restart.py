"""Journey 6: Asterisk is killed (kill -9) under several emergencies, and started again; and a database that is locked.

After the kill: from the moment Asterisk says it is fully booted until each elder's telephone rings again.
Locked: another program holds the writing turn longer than the engine's patience; each caller must be answered, hear a
voice, and be an incident afterwards. The longest wait is the lease (`agi_lease_s`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.journeys import tones
from bench.journeys.record import moments
from bench.journeys.side_by_side import Centre, Go, Run, side_by_side
from bench.journeys.survival import people
from tests.calls.harness import Elder
from tests.calls.system import Person

TOGETHER = 3
"""Emergencies at once."""
UNDER_WAY_S = 5.0
LOCKED_S = 8.0
LATE_S = 40.0


class Restart:
    def __init__(self, here: Centre) -> None:
        self.here = here

    def _group(self, number: int) -> list[Person]:
        return list(self.here.system.people[number * TOGETHER : (number + 1) * TOGETHER])

    async def _press(self, group: list[Person]) -> list[Elder]:
        return list(await asyncio.gather(*(self.here.town.call(one.phone, "12349120") for one in group)))

    async def kill(self, number: int) -> Run:
        """All of them in the room, nobody with them; their homes ring when they are called back."""
        here, system, exchange = self.here, self.here.system, self.here.town.exchange
        group = self._group(number)
        elders = await self._press(group)
        await asyncio.sleep(UNDER_WAY_S)
        lost = sum(not elder.talking for elder in elders)
        killed = time.monotonic()
        await system.kill("asterisk")
        await asyncio.gather(*(elder.finish() for elder in elders))
        await system.start_asterisk()
        booted = time.monotonic()

        def redialled() -> list[float] | None:
            rung = [[i.at for i in exchange.invites(one.phone) if i.at > killed] for one in group]
            return [times[0] for times in rung] if all(rung) else None

        try:
            found = await here.until(redialled, LATE_S, "every elder called back")
        finally:
            await system.close_all()
        return {
            "elders_ms": [(at - booted) * 1000 for at in found],
            "ms": {"asterisk_up": (booted - killed) * 1000, "slowest_elder": (max(found) - booted) * 1000},
            "lost_before": lost,
        }

    async def locked(self, number: int) -> Run:
        system = self.here.system
        group = self._group(number)
        database = sqlite3.connect(system.folder / "yinling.db", isolation_level=None, timeout=5)
        try:
            database.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            elders = await self._press(group)
            await asyncio.gather(*(elder.answered(within=LOCKED_S) for elder in elders))
            await asyncio.sleep(max(0.0, began + LOCKED_S - time.monotonic()))
            database.execute("ROLLBACK")
            freed = time.monotonic()
        finally:
            database.close()

        async def on_record() -> list[str]:
            known = {i["elder"]["elder_no"]: i["id"] for i in await system.incidents() if i["elder"]}
            return [known[one.elder_no] for one in group] if all(one.elder_no in known for one in group) else []

        incidents = await system.until(on_record, 30, "all of them on record")
        opened = [moments(system.folder / "yinling.db", one, "incident.opened")[0] for one in incidents]
        voices = [self._voice(elder) for elder in elders]
        run: Run = {
            "answered_ms": [((elder.answered_at or 0) - elder.invited_at) * 1000 for elder in elders],
            "voice_ms": [(at - elder.invited_at) * 1000 for at, elder in zip(voices, elders, strict=True) if at],
            "ms": {"last_on_record_after_unlock": (max(opened) - freed) * 1000},
            "unheard": sum(at is None for at in voices),
            "dropped": sum(not elder.talking for elder in elders),
        }
        await system.close_all()
        await asyncio.gather(*(elder.hang_up() for elder in elders))
        return run

    @staticmethod
    def _voice(elder: Elder) -> float | None:
        return tones.first_other(elder.heard.packets, tones.SEAT, elder.invited_at)


@asynccontextmanager
async def killed_asterisk(here: Centre) -> AsyncIterator[Go]:
    yield Restart(here).kill


@asynccontextmanager
async def locked_database(here: Centre) -> AsyncIterator[Go]:
    yield Restart(here).locked


async def run(count: int, systems: int) -> list[Run]:
    return await side_by_side(count, systems, lambda n: people(n * TOGETHER), killed_asterisk)


async def run_locked(count: int, systems: int) -> list[Run]:
    return await side_by_side(count, systems, lambda n: people(n * TOGETHER), locked_database)
