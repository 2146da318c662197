"""The disk is full: nothing can be put on record, and the caller still hears a voice and reaches a person."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.harness import Answers, PortBlock, SippCommand
from tests.calls.place import Place
from tests.calls.system import DUTY, Person, prompt

DEMO = Path(__file__).parents[2] / "prompts" / "demo"
CRY, CALM = DEMO / "elder_press.alaw", DEMO / "agent_emergency.alaw"
WANG = Person("E1", "王秀英", "02150001111", ["13800000001"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, 60 MB; only root can make one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))


async def test_with_a_full_disk_a_press_reaches_the_duty_phone_and_the_engine_lives_on(
    small_disk: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    # What SIPp and the far ends write goes elsewhere: only the system's disk is full.
    async with Place(small_disk / "y", ports, sipp, [WANG]) as (system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5))
        ballast = small_disk / "ballast"
        fill(ballast)
        assert shutil.disk_usage(small_disk).free == 0
        await asyncio.sleep(3)  # several turns of everything that writes by the clock
        elder = await town.call("02150001111", "12349120")
        await elder.hears(prompt("lifeline/connecting"), within=15)
        rung = await duty.called(within=10)
        await rung.answered()
        assert system.processes["engine"].returncode is None
        assert system.processes["console"].returncode is None
        await elder.hang_up()
        ballast.unlink()
        await system.until(system.incidents, 10, "the press is on record: the lifeline had a blank file for it")
        assert (await system.incidents())[0]["needs_look"]
        second = await town.call("02150001111", "12349120")
        await second.hears(prompt("emergency/help_is_coming"), within=15)
        await system.until(system.incidents, 10, "and the next one")
        await second.hang_up()


async def test_who_is_in_a_recorded_room_talks_on_when_the_disk_is_full(
    small_disk: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    async with Place(small_disk / "y", ports, sipp, [WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.leg("agent", "1001", "accepted")
        await system.in_room(2)
        ballast = small_disk / "ballast"
        fill(ballast)
        await asyncio.sleep(5)  # more than the recordings' buffers hold
        recorded = {path: path.stat().st_size for path in system.settings.recordings_dir.rglob("*.wav")}
        assert len(recorded) == 3
        began = asyncio.get_running_loop().time()
        elder.say(CRY)
        await seat.hears(CRY, first_s=1.5, since=began)
        await elder.said()
        seat.say(CALM)
        await elder.hears(CALM, first_s=1.5, since=began)
        assert {path: path.stat().st_size for path in recorded} == recorded, "the disk was full"
        ballast.unlink()
        await elder.hang_up()
        await seat.hang_up()

        async def ended() -> bool:
            found = await system.api("GET", "/events?limit=1000", status=200)
            return sum(one["kind"] == "recording.ended" for one in found["items"]) == 3

        await system.until(ended, 40, "what could be recorded is on record")
