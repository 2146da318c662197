"""Rooms are recorded by Asterisk alone: each leg and the room, on record with its hash, and never in anybody's way."""

from __future__ import annotations

import asyncio
import os
import sys
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.calls.harness import Answers, Leg
from tests.calls.harness.g711 import Pcm
from tests.calls.harness.listen import find_prompt
from tests.calls.place import MakePlace
from tests.calls.system import System, prompt
from tests.calls.test_emergency_call import CALM, CRY, DAUGHTER, PICKS_UP_AND_PRESSES_1, WANG


def pcm_of(path: Path) -> Pcm:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def holds(path: Path, said: Path) -> bool:
    return find_prompt(pcm_of(path), said, first_s=1.5).found


async def ivr(system: System, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr.cli", *arguments,
        env={**os.environ, **system.env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def journalled(system: System, kind: str, count: int, within: float = 15.0) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]]:
        found = await system.api("GET", "/events?limit=1000", status=200)
        events = [one for one in found["items"] if one["kind"] == kind]
        return events if len(events) >= count else []

    return list(await system.until(look, within, f"{count} of {kind}"))


async def three_in_the_room(system: System, town: Any) -> tuple[Leg, Leg, Leg]:
    """Elder, agent and daughter, each of whom has said something that the elder, or the agent, has heard."""
    agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
    await system.ready("1001")
    daughter = town.family("13800000001", PICKS_UP_AND_PRESSES_1)
    elder = await town.call("02150001111", "12349120")
    seat, call = await agent.called(), await daughter.called()
    await system.leg("family", "13800000001", "accepted")
    await system.in_room(3)
    elder.say(CRY)
    await seat.hears(CRY, first_s=1.5)
    await elder.said()
    seat.say(CALM)
    await elder.hears(CALM, first_s=1.5)
    await seat.said()
    call.say(DAUGHTER)
    await elder.hears(DAUGHTER, first_s=1.5)
    await call.said()
    return elder, seat, call


async def test_each_leg_and_the_room_are_recorded_on_record_and_exported(place: MakePlace, tmp_path: Path) -> None:
    async with place([WANG]) as (system, town):
        elder, seat, call = await three_in_the_room(system, town)
        await journalled(system, "recording.started", 4)
        for leg in (elder, call, seat):
            await leg.hang_up()
        ended = await journalled(system, "recording.ended", 4)
        (incident,) = await system.incidents()
        roles = {leg["id"]: leg["role"] for leg in incident["legs"]}
        files = {roles.get(one.get("leg_id"), "room"): system.settings.recordings_dir / one["file"] for one in ended}
        assert set(files) == {"elder", "agent", "family", "room"}
        said = {"elder": CRY, "agent": CALM, "family": DAUGHTER}
        for role, words in said.items():
            heard = {other: holds(files[role], theirs) for other, theirs in said.items()}
            assert heard == {other: other == role for other in said}, f"what {role} said, and nobody else"
            assert holds(files["room"], words)
            assert WANG.phone not in str(files[role])
            assert "138" not in files[role].name.removeprefix("leg-")[:4]
        mode = (system.settings.recordings_dir).stat().st_mode
        assert mode & 0o077 == 0, "for the owner's eyes only"
        # The time on record is the time on the clock: both files hold the same cry, at the same moment.
        began = {roles.get(one.get("leg_id"), "room"): one["began_at"] for one in ended}
        moments = [
            np.datetime64(began[role].removesuffix("+00:00")).astype("datetime64[ms]").astype(float) / 1000
            + find_prompt(pcm_of(files[role]), CRY, first_s=1.5).at_s
            for role in ("elder", "room")
        ]
        assert abs(moments[0] - moments[1]) < 0.3, moments
        print(f"the same words in two recordings, apart by {1000 * abs(moments[0] - moments[1]):.0f} ms")
        await system.close_all()
        code, out = await ivr(system, "audit", "verify")
        assert code == 0, out
        assert "4 recordings" in out
        code, out = await ivr(system, "audit", "export", incident["id"], "--to", str(tmp_path / "r.zip"))
        assert code == 0, out
        with zipfile.ZipFile(tmp_path / "r.zip") as archive:
            archive.extractall(tmp_path / "r")
        folder = tmp_path / "r" / f"incident-{incident['id']}"
        assert holds(folder / "audio" / files["room"].name, CALM)
        assert "记录链完整" in (folder / "index.html").read_text()
        files["agent"].write_bytes(files["agent"].read_bytes()[:-100])
        code, out = await ivr(system, "audit", "verify", incident["id"])
        assert code == 1
        assert "the recording was changed" in out
        for person in (WANG.name, WANG.phone, "13800000001", "亲属"):
            assert person not in out


async def test_relatives_are_told_and_nobody_else_waits_for_it(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        elder, seat, call = await three_in_the_room(system, town)
        assert find_prompt(call.heard.pcm(), prompt("room/recorded"), first_s=1.5).found
        for leg in (elder, seat):
            assert not find_prompt(leg.heard.pcm(), prompt("room/recorded"), first_s=1.5).found
        for leg in (elder, call, seat):
            await leg.hang_up()


@pytest.mark.parametrize("setting", ["IVR_RECORD_ROOMS", "IVR_ANNOUNCE_RECORDING"])
async def test_what_is_switched_off_is_off(place: MakePlace, setting: str) -> None:
    async with place([WANG], **{setting: "false"}) as (system, town):
        elder, seat, call = await three_in_the_room(system, town)
        assert not find_prompt(call.heard.pcm(), prompt("room/recorded"), first_s=1.5).found
        for leg in (elder, call, seat):
            await leg.hang_up()
        if setting == "IVR_ANNOUNCE_RECORDING":
            await journalled(system, "recording.ended", 4)
        else:
            await asyncio.sleep(3)
            assert list(system.settings.recordings_dir.rglob("*.wav")) == []


async def test_the_engine_is_dead_and_the_recording_goes_on_and_is_found_later(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.leg("agent", "1001", "accepted")
        await system.in_room(2)
        await system.kill("engine")
        elder.say(CRY)
        await seat.hears(CRY, first_s=1.5)
        await elder.said()
        await elder.hang_up()
        await seat.hang_up()
        await system.start("engine")
        ended = await journalled(system, "recording.ended", 3)
        assert sum(holds(system.settings.recordings_dir / one["file"], CRY) for one in ended) == 2, "elder and room"
        await system.close_all()
        code, out = await ivr(system, "audit", "verify")
        assert code == 0, out


async def test_a_folder_that_cannot_be_written_keeps_nobody_out(place: MakePlace) -> None:
    made = place([WANG])
    made.folder.mkdir(parents=True)
    (made.folder / "recordings").write_text("in the way")
    async with made as (system, town):
        elder, seat, call = await three_in_the_room(system, town)
        for leg in (elder, call, seat):
            await leg.hang_up()
        await system.leg("elder", "02150001111", "ended/talked")
        assert (made.folder / "recordings").read_text() == "in the way"
        found = await system.api("GET", "/events?limit=1000", status=200)
        assert not [one for one in found["items"] if one["kind"].startswith("recording.")]
