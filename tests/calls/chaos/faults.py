"""What is broken, and how it is mended. Each fault is a kind of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.calls.ami_proxy import AmiProxy
from tests.calls.chaos.check import Span
from tests.calls.chaos.clock import SEEN_AFTER_S, StepClock
from tests.calls.system import System

LONG_CUT_S = 10.0
LOCKED_S = 5.0
FULL_S = 5.0
STEP_S = 3600
HOLD = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
db.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
db.execute("ROLLBACK")
"""


class Fault(StrEnum):
    ENGINE_KILLED = "engine_killed"
    CABLE_CUT = "cable_cut"  # the manager interface, for up to 3 s
    CABLE_CUT_LONG = "cable_cut_10s"
    ASTERISK_KILLED = "asterisk_killed"
    ASTERISK_RESTARTED = "asterisk_restarted"
    DATABASE_LOCKED = "database_locked_5s"
    DISK_FULL = "disk_full"
    ENGINE_STOPPED = "engine_stopped"  # SIGSTOP past the lease
    CLOCK_FORWARD = "clock_forward_1h"
    CLOCK_BACK = "clock_back_1h"


OTHERS = [fault for fault in Fault if fault not in (Fault.ENGINE_KILLED, Fault.CABLE_CUT)]


def deck(chance: random.Random, faults: int, without: Sequence[Fault] = ()) -> list[Fault]:
    """A third of them the other kinds in turn, the rest engine kills and cuts, two to one; in any order."""
    others = [fault for fault in OTHERS if fault not in without]
    first = chance.randrange(len(others))
    cards = [others[(first + n) % len(others)] for n in range(faults * 2 // 5)]
    rest = faults - len(cards)
    cards += [Fault.ENGINE_KILLED] * (rest - rest // 3) + [Fault.CABLE_CUT] * (rest // 3)
    chance.shuffle(cards)
    return cards


@dataclass
class Breaker:
    """Breaks one system, and keeps account of when what was away."""

    chance: random.Random
    system: System
    cable: AmiProxy
    clock: StepClock
    disk: Path | None
    """A small file system of its own."""
    on_asterisk_gone: Callable[[], Awaitable[None]] | None = None
    count: Counter[str] = field(default_factory=Counter)
    outages: list[Span] = field(default_factory=list)
    carried_on_s: list[float] = field(default_factory=list)
    """From the start of a new engine until it serves."""

    async def break_(self, fault: Fault) -> None:
        deed = getattr(self, f"_{fault.value}")
        print(f"    {time.monotonic():.1f} {fault}", flush=True)
        await deed()
        self.count[fault] += 1

    @asynccontextmanager
    async def _away(self) -> AsyncIterator[None]:
        began = time.monotonic()
        self.outages.append((began, float("inf")))
        place = len(self.outages) - 1
        yield
        await self.system.is_up("engine")
        self.outages[place] = (began, time.monotonic())

    async def _engine_killed(self) -> None:
        async with self._away():
            await self._kill_engine()

    async def _kill_engine(self) -> None:
        await self.system.kill("engine")
        await asyncio.sleep(self.chance.choice([0, 0, 1, 3]))
        began = time.monotonic()
        await self.system.launch("engine")
        if self.cable.is_whole and "asterisk" in self.system.processes:
            await self.system.is_up("engine")
            self.carried_on_s.append(time.monotonic() - began)

    async def _perhaps_the_engine_too(self, within_s: float) -> None:
        """Half of the long faults see the engine killed in the middle of them."""
        kill_at = self.chance.uniform(0, within_s * 0.7)
        until = time.monotonic() + within_s
        if self.chance.random() < 0.5:
            await asyncio.sleep(kill_at)
            await self.system.kill("engine")
            await self.system.launch("engine")
            self.count[Fault.ENGINE_KILLED] += 1
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _cable_cut(self) -> None:
        async with self._away():
            self.cable.cut()
            await asyncio.sleep(self.chance.uniform(0.1, 3))
            await self.cable.mend()
            await asyncio.sleep(1)  # the status file is a second old at most: it must not be believed yet

    async def _cable_cut_10s(self) -> None:
        async with self._away():
            self.cable.cut()
            await self._perhaps_the_engine_too(LONG_CUT_S)
            await self.cable.mend()
            await asyncio.sleep(1)

    async def _asterisk_killed(self) -> None:
        async with self._away():
            await self.system.kill("asterisk")
            await self._back()

    async def _asterisk_restarted(self) -> None:
        async with self._away():
            await self.system.cli("core stop now")
            await asyncio.wait_for(self.system.processes.pop("asterisk").wait(), 20)
            await self._back()

    async def _back(self) -> None:
        if self.on_asterisk_gone is not None:
            await self.on_asterisk_gone()
        if self.chance.random() < 0.3:
            await self.system.kill("engine")
            await self.system.launch("engine")
            self.count[Fault.ENGINE_KILLED] += 1
        await self.system.start_asterisk()
        await asyncio.sleep(1)

    async def _database_locked_5s(self) -> None:
        async with self._away():
            holder = await asyncio.create_subprocess_exec(
                sys.executable, "-c", HOLD, str(self.system.folder / "yinling.db"), str(LOCKED_S),
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert holder.stdout is not None
            assert await holder.stdout.readline() == b"held\n"
            await self._perhaps_the_engine_too(LOCKED_S)
            assert await holder.wait() == 0

    async def _disk_full(self) -> None:
        assert self.disk is not None
        ballast = self.disk / "ballast"
        async with self._away():
            await asyncio.to_thread(fill, ballast)
            try:
                await asyncio.sleep(FULL_S)
            finally:
                ballast.unlink()
            await asyncio.sleep(1)

    async def _engine_stopped(self) -> None:
        async with self._away():
            self.system.freeze("engine")
            await asyncio.sleep(self.system.settings.agi_lease_s + self.chance.uniform(0.5, 3))
            self.system.thaw("engine")
            await asyncio.sleep(1.2)

    async def _clock_forward_1h(self) -> None:
        self.clock.step(STEP_S)
        await asyncio.sleep(SEEN_AFTER_S)

    async def _clock_back_1h(self) -> None:
        self.clock.step(-STEP_S)
        await asyncio.sleep(SEEN_AFTER_S)


def fill(ballast: Path) -> None:
    """Until not one byte is left."""
    with ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(ballast.parent).free - (1 << 20)))
            file.seek(0, os.SEEK_END)
        with contextlib.suppress(OSError):
            while True:
                file.write(bytes(65536))
