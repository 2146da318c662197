"""Engine and Asterisk killed, the manager interface cut, the database locked, the disk filled, the engine stopped, the
clock stepped, at any instant: nobody is forgotten, nobody skipped, nobody dialled after somebody has come.

A few faults in every test run; `make chaos` makes hundreds, on systems side by side (`CHAOS_KILLS` in all,
`CHAOS_SYSTEMS`, and `CHAOS_SEED` to see one again).
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.calls.ami_proxy import AmiProxy
from tests.calls.chaos.clock import StepClock
from tests.calls.chaos.faults import Breaker, Fault, deck
from tests.calls.chaos.people import elders
from tests.calls.chaos.scene import AT_ONCE, RING_S, Scene
from tests.calls.chaos.tally import Tally, words
from tests.calls.chaos.watch import JournalWatch
from tests.calls.harness import NoAnswer, PortBlock, SippCommand, Town
from tests.calls.place import Place
from tests.calls.system import DUTY, Person, System

KILLS = int(os.environ.get("CHAOS_KILLS", "0"))
SEED = int(os.environ.get("CHAOS_SEED", "12349"))
MINUTES = float(os.environ.get("CHAOS_MINUTES", "1000"))
"""No new round is begun after so many."""
TALLY = os.environ.get("CHAOS_TALLY", "")
A_ROUND = 8
"""Faults in one round."""
SHORT = (Fault.ENGINE_KILLED, Fault.DATABASE_LOCKED, Fault.CLOCK_BACK, Fault.ASTERISK_KILLED)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own, 500 MB; only root can make one."""
    if os.geteuid() != 0:
        yield None
        return
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@asynccontextmanager
async def broken_place(
    folder: Path, ports: PortBlock, sipp: SippCommand, everybody: Sequence[Person], seed: int
) -> AsyncIterator[tuple[System, Town, Breaker, JournalWatch]]:
    """A place with a cable, a clock and a disk of its own, and the one who breaks them."""
    ami, ours = ports.take(), ports.take()
    options = {
        "IVR_AMI_PORT": str(ami),
        "IVR_FAMILY_RING_S": str(RING_S),
        "IVR_EVERYBODY_AFTER_S": "600",
        "IVR_REDIAL_TRIES": "10",
    }
    clock = StepClock(folder / "clock")
    with small_disk(folder / "disk") as disk:
        place = Place(
            (disk or folder) / "y", ports, sipp, everybody, options, {"IVR_AMI_PORT": str(ours)}, clock_env=clock.env()
        )
        watch = JournalWatch((disk or folder) / "y" / "yinling.db")
        async with AmiProxy(ours, ami) as cable, place as (system, town), watch as journal:
            yield system, town, Breaker(random.Random(seed), system, cable, clock, disk), journal


async def chaos(
    folder: Path, ports: PortBlock, sipp: SippCommand, rounds: Sequence[Sequence[Fault]], seed: int
) -> Tally:
    everybody = [person for number in range(len(rounds)) for person in elders(number, AT_ONCE)]
    tally, until = Tally(seed), time.monotonic() + MINUTES * 60
    async with broken_place(folder, ports, sipp, everybody, seed) as (system, town, breaker, journal):
        town.duty(DUTY, NoAnswer())
        try:
            for number, faults in enumerate(rounds):
                if time.monotonic() > until:
                    break
                scene = Scene(number, breaker, town, journal)
                try:
                    broken = await scene.play(faults)
                except AssertionError as failure:
                    broken = [f"never came to rest: {failure}"]
                except ExceptionGroup as failure:  # a telephone of the town's did not do as it was told: no verdict
                    tally.void += 1
                    print(f"  seed {seed}, round {number + 1} is void: {failure.exceptions}"[:500], flush=True)
                    await scene.over()
                    continue
                if broken:
                    keep(system.folder, folder / f"round-{number + 1}")
                tally.violations += [f"seed {seed}, round {number + 1}: {sentence}" for sentence in broken]
                tally.rounds += 1
                tally.emergencies += AT_ONCE
                tally.call_backs_s += scene.call_backs()
                print(f"  seed {seed}, round {number + 1} of {len(rounds)}: {dict(breaker.count)} {broken}", flush=True)
                await scene.over()
        finally:
            tally.faults = {str(kind): many for kind, many in breaker.count.items()}
            tally.carried_on_s, tally.invites = breaker.carried_on_s, len(town.exchange.invites())
        tally.violations += await audit(system)
    return tally


def keep(system: Path, folder: Path) -> None:
    """What happened can be read afterwards: the disk of its own is gone by then."""
    shutil.copytree(system / "log", folder / "log")
    for file in system.glob("yinling.db*"):
        shutil.copy(file, folder)


async def audit(system: System) -> list[str]:
    """The hash chain of every incident, and every recording, by the shipped command."""
    verifying = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr.cli", "audit", "verify",
        env={**os.environ, **system.env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await verifying.communicate()
    return [] if verifying.returncode == 0 else [f"audit verify: {said.decode()[-500:]}"]


@pytest.mark.long
@pytest.mark.skipif(KILLS > 0, reason="make chaos")
@pytest.mark.timeout(240)
async def test_whatever_breaks_nobody_is_forgotten(tmp_path: Path, ports: PortBlock, sipp: SippCommand) -> None:
    tally = await chaos(tmp_path, ports, sipp, [SHORT], SEED)
    print(words(tally))
    assert sum(tally.faults.values()) >= len(SHORT)
    assert tally.violations == []


@pytest.mark.skipif(KILLS == 0, reason="a part of make chaos")
@pytest.mark.timeout(120 + KILLS * 30)
async def test_hundreds_of_faults(tmp_path: Path, ports: PortBlock, sipp: SippCommand) -> None:
    cards = deck(random.Random(SEED), KILLS, [] if os.geteuid() == 0 else [Fault.DISK_FULL])
    rounds = [cards[at : at + A_ROUND] for at in range(0, len(cards), A_ROUND)]
    tally = await chaos(tmp_path, ports, sipp, rounds, SEED)
    print(words(tally))
    if TALLY:
        tally.append_to(Path(TALLY))
    assert tally.violations == []
