"""What recording costs: two systems side by side, one of which records, with the same callers at the same time; CPU
time of each Asterisk, by the kernel."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench import proc
from ivr.asterisk.portable import sipp_command
from ivr.settings import Settings
from tests.calls.harness import Elder, PortBlock, Town
from tests.calls.place import Place
from tests.calls.system import Person, System

LEGS = 12
WINDOWS, WINDOW_S = 10, 5.0
ROOMS = {
    "one room": ["02150001111"] * LEGS,
    "a room each": [f"0215000{n:04d}" for n in range(LEGS)],
}
"""Who calls: one elder twelve times, or twelve elders."""


async def talk(town: Town, numbers: list[str]) -> list[Elder]:
    callers = [await town.call(number, "12349120") for number in numbers]
    for caller in callers:
        await caller.answered(within=20)
    return callers


async def windows(systems: list[System], many: int) -> list[list[float]]:
    """Per window, milliseconds of CPU a second of each system's Asterisk."""
    pids = [system.processes["asterisk"].pid for system in systems]
    found = []
    for _ in range(many):
        before = [proc.cpu_ms(pid) for pid in pids]
        await asyncio.sleep(WINDOW_S)
        found.append([(proc.cpu_ms(pid) - was) / WINDOW_S for pid, was in zip(pids, before, strict=True)])
    return found


async def _measure(folder: Path, numbers: list[str], many: int) -> dict[str, float]:
    people = [Person(f"E{n}", f"老人{n}", number) for n, number in enumerate(dict.fromkeys(numbers))]
    quiet = {"IVR_DUTY_PHONE": "", "IVR_STORM_WAITING_PER_SEAT": "1000", "IVR_STORM_ALARMS_PER_MIN": "1000"}
    sipp = sipp_command(Settings())
    with PortBlock(300) as one, PortBlock(300) as two:
        async with (
            Place(folder / "on", one, sipp, people, {**quiet, "IVR_RECORD_ROOMS": "true"}) as (on, here),
            Place(folder / "off", two, sipp, people, {**quiet, "IVR_RECORD_ROOMS": "false"}) as (off, there),
        ):
            callers = [leg for legs in await asyncio.gather(talk(here, numbers), talk(there, numbers)) for leg in legs]
            await asyncio.sleep(8)  # the first words are over
            pairs = await windows([on, off], many)
            for caller in callers:
                await caller.hang_up()
    recorded, not_recorded = (statistics.median(values) for values in zip(*pairs, strict=True))
    return {
        "recorded_ms": recorded,
        "not_recorded_ms": not_recorded,
        "a_leg_ms": statistics.median((a - b) / LEGS for a, b in pairs),
    }


async def run(*, quick: bool) -> dict[str, Any]:
    """Milliseconds of CPU a second of Asterisk with twelve legs, recorded and not; medians of windows."""
    found: dict[str, Any] = {"legs": LEGS, "rooms": {}}
    for name, numbers in ROOMS.items():
        with tempfile.TemporaryDirectory() as folder:
            found["rooms"][name] = await _measure(Path(folder), numbers, 2 if quick else WINDOWS)
        print(f"  {name}: {found['rooms'][name]}", flush=True)
    return found
