"""What workers and hospitals hear whom we dial. Answered is not accepted: a voicemail answers too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from ivr.callflows import helpers
from ivr.callflows.call import CallerHungUp
from ivr.services.incident_desk import IncidentDesk
from tests.doubles.memory_store import MemoryCalls, MemoryIncidents, MemoryLegs
from tests.doubles.scripted_call import ScriptedCall

Flow = Callable[[ScriptedCall, IncidentDesk, str, str], Awaitable[None]]
BOTH: list[Flow] = [helpers.worker_leg, helpers.hospital_leg]
YES = {helpers.worker_leg: "worker/connecting", helpers.hospital_leg: "hospital/connecting"}


class Spoken:
    async def worker_alarm(self, incident_id: str, *, speech: bool = False) -> str:
        return f"/spoken/worker-{incident_id}{'-say' if speech else ''}"

    async def hospital_details(self, incident_id: str) -> str:
        return f"/spoken/hospital-{incident_id}"


async def told(
    flow: Flow, *presses: str, accepts: bool = True, gone_at: str = "", hears: bool = False, names: bool = False
) -> list[str]:
    story: list[str] = []
    records = MemoryLegs(story)
    records.accepts = accepts
    desk = IncidentDesk(MemoryIncidents(story), records, MemoryCalls(story), helpers=Spoken() if names else None)
    call = ScriptedCall(*presses, story=story, gone_at=gone_at)
    call.hears = hears
    await flow(call, desk, "A1", "ROOM")
    return story


async def test_a_worker_who_presses_1_is_in_the_room() -> None:
    assert await told(helpers.worker_leg, "1") == [
        "ask worker/alarm 123",
        "accept A1",
        "play worker/connecting",
        "room ROOM helper",
    ]


async def test_a_hospital_that_presses_1_is_in_the_room() -> None:
    assert await told(helpers.hospital_leg, "1") == [
        "ask hospital/alarm 123",
        "accept A1",
        "play hospital/connecting",
        "room ROOM helper",
    ]


@pytest.mark.parametrize("flow", BOTH)
async def test_saying_yes_or_no_is_as_good_as_a_key(flow: Flow) -> None:
    assert await told(flow, "accept") == await told(flow, "1")
    assert await told(flow, "decline") == await told(flow, "2")
    assert "declined A1" in await told(flow, "2")
    assert (await told(flow, "2"))[-1] == "hangup"


@pytest.mark.parametrize("flow", BOTH)
@pytest.mark.parametrize("pressed", ["", "?", "9"])
async def test_a_machine_or_a_child_is_nobody(flow: Flow, pressed: str) -> None:
    story = await told(flow, pressed)
    assert ("ask worker/press_instead 123" in story or "ask hospital/press_instead 123" in story) == (pressed == "?")
    assert "mark A1 not_confirmed" in story
    assert not [line for line in story if line.startswith(("accept", "room"))]
    assert story[-1] == "hangup"


@pytest.mark.parametrize("flow", BOTH)
async def test_who_comes_too_late_is_told_so_and_is_in_no_room(flow: Flow) -> None:
    story = await told(flow, "1", accepts=False)
    assert story[1:] == ["accept A1", "mark A1 cancelled", story[3], "hangup"]
    assert story[3] in ("play worker/taken", "play hospital/no_longer")


async def test_key_3_tells_a_worker_all_of_it_again() -> None:
    story = await told(helpers.worker_leg, "3", "3", "1", names=True)
    assert story[:3] == ["ask /spoken/worker-ROOM 123"] * 3
    assert story[-1] == "room ROOM helper"


async def test_a_hospital_hears_who_it_is_after_a_key_only() -> None:
    story = await told(helpers.hospital_leg, "3", "3", "1", names=True)
    assert story[:3] == ["ask hospital/alarm 123", *["ask /spoken/hospital-ROOM 123"] * 2]
    assert story[-1] == "room ROOM helper"
    assert not [line for line in await told(helpers.hospital_leg, names=True) if "spoken" in line]
    assert (await told(helpers.hospital_leg, "3", "1"))[1] == "ask hospital/ask_centre 123"


async def test_a_worker_who_says_again_is_told_all_of_it_again() -> None:
    story = await told(helpers.worker_leg, "again", "again", "accept", names=True)
    assert story[:3] == ["ask /spoken/worker-ROOM 123"] * 3
    assert story[-1] == "room ROOM helper"


async def test_a_hospital_that_says_again_hears_no_name() -> None:
    assert (await told(helpers.hospital_leg, "again", "1", names=True))[:3] == [
        "ask hospital/alarm 123",
        "ask hospital/alarm 123",
        "accept A1",
    ]
    story = await told(helpers.hospital_leg, "3", "again", "1", names=True)
    assert story[1:3] == ["ask /spoken/hospital-ROOM 123", "ask hospital/alarm 123"], "a word is no key"


@pytest.mark.parametrize("flow", BOTH)
async def test_a_voice_that_says_again_for_ever_is_no_yes(flow: Flow) -> None:
    story = await told(flow, *["again"] * 50)
    assert len(story) == 6 + 3
    assert "mark A1 not_confirmed" in story


@pytest.mark.parametrize("flow", BOTH)
async def test_who_was_not_understood_is_asked_once_more_by_keys_alone(flow: Flow) -> None:
    of = YES[flow].partition("/")[0]
    question, keys_alone = f"ask {of}/alarm 123", f"ask {of}/press_instead 123"
    assert await told(flow, "?", "1") == [
        question, keys_alone, "accept A1", f"play {YES[flow]}", "room ROOM helper",
    ]  # fmt: skip
    assert await told(flow, "?", "2") == [question, keys_alone, "declined A1", f"play {of}/declined", "hangup"]
    assert await told(flow, "?", "") == [
        question, keys_alone, "mark A1 not_confirmed", f"play {of}/not_confirmed", "hangup",
    ]  # fmt: skip


@pytest.mark.parametrize("flow", BOTH)
async def test_from_there_on_nothing_that_is_said_counts(flow: Flow) -> None:
    """ScriptedCall refuses a word where no grammar is asked with."""
    with pytest.raises(AssertionError, match="nothing can be said here"):
        await told(flow, "?", "accept")
    with pytest.raises(AssertionError, match="nothing can be said here"):
        await told(flow, "?", "3", "accept")


@pytest.mark.parametrize("flow", BOTH)
async def test_a_key_3_that_hangs_ends_some_time_and_is_no_yes(flow: Flow) -> None:
    story = await told(flow, *"3" * 50)
    assert story[-1] == "hangup"
    assert "mark A1 not_confirmed" in story


@pytest.mark.parametrize("flow", BOTH)
async def test_where_speech_is_understood_the_question_says_so(flow: Flow) -> None:
    assert (await told(flow, "1", hears=True))[0].split()[1].endswith("_say")


@pytest.mark.parametrize("flow", BOTH)
async def test_a_cry_for_help_goes_to_the_room_and_is_no_yes(flow: Flow) -> None:
    story = await told(flow, "distress.fall")
    assert story[-1] == "room ROOM helper"
    assert not [line for line in story if line.startswith("accept")]


@pytest.mark.parametrize("flow", BOTH)
async def test_every_way_through_ends_out_of_agi(flow: Flow) -> None:
    for presses in ("", "1", "2", "3", "31", "32", "33333333", "#", "?", "?1", "?2", "?3", "3?", "3?1"):
        for accepts in (True, False):
            story = await told(flow, *presses, accepts=accepts)
            assert story[-1] in ("hangup", "room ROOM helper"), story


@pytest.mark.parametrize("flow", BOTH)
async def test_who_hangs_up_in_mid_prompt_is_in_no_room(flow: Flow) -> None:
    for verb in ("ask", "play"):
        with pytest.raises(CallerHungUp):
            await told(flow, "1", gone_at=verb)
