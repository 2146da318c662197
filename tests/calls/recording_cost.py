"""What recording costs: `python -m tests.calls.recording_cost`. Two systems side by side, one of which records, with
the same callers at the same time; CPU time of each Asterisk, by the kernel. Not a test: nothing is asserted."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from pathlib import Path

from ivr.asterisk.portable import sipp_command
from ivr.settings import Settings
from tests.calls.harness import Elder, PortBlock, Town
from tests.calls.place import Place
from tests.calls.system import Person, System

LEGS = 12
WINDOWS, WINDOW_S = 10, 5.0


def cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


async def talk(town: Town, numbers: list[str]) -> list[Elder]:
    callers = [await town.call(number, "12349120") for number in numbers]
    for caller in callers:
        await caller.answered(within=20)
    return callers


async def windows(systems: list[System]) -> list[list[float]]:
    """Per window, milliseconds of CPU a second of each system's Asterisk."""
    pids = [system.processes["asterisk"].pid for system in systems]
    found = []
    for _ in range(WINDOWS):
        before = [cpu_ms(pid) for pid in pids]
        await asyncio.sleep(WINDOW_S)
        found.append([(cpu_ms(pid) - was) / WINDOW_S for pid, was in zip(pids, before, strict=True)])
    return found


async def measure(folder: Path, name: str, numbers: list[str]) -> None:
    people = [Person(f"E{n}", f"老人{n}", number) for n, number in enumerate(dict.fromkeys(numbers))]
    quiet = {"IVR_DUTY_PHONE": "", "IVR_STORM_WAITING_PER_SEAT": "1000", "IVR_STORM_ALARMS_PER_MIN": "1000"}
    sipp = sipp_command(Settings())
    with PortBlock(300) as one, PortBlock(300) as two:
        async with (
            Place(folder / f"{name}-on", one, sipp, people, {**quiet, "IVR_RECORD_ROOMS": "true"}) as (on, here),
            Place(folder / f"{name}-off", two, sipp, people, {**quiet, "IVR_RECORD_ROOMS": "false"}) as (off, there),
        ):
            callers = [leg for legs in await asyncio.gather(talk(here, numbers), talk(there, numbers)) for leg in legs]
            await asyncio.sleep(8)  # the first words are over
            pairs = await windows([on, off])
            for caller in callers:
                await caller.hang_up()
    with_, without = (statistics.median(values) for values in zip(*pairs, strict=True))
    each = statistics.median((a - b) / LEGS for a, b in pairs)
    print(f"{name}: {with_:.1f} and {without:.1f} ms of CPU a second; {each:.2f} ms a second for each of {LEGS} legs")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        await measure(Path(folder), "one room", ["02150001111"] * LEGS)
        await measure(Path(folder), "a room each", [f"0215000{n:04d}" for n in range(LEGS)])


if __name__ == "__main__":
    asyncio.run(main())
