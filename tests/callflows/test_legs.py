"""What those hear whom we dial. Answered is not accepted: a voicemail answers too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from ivr.callflows import legs
from ivr.callflows.call import INTERRUPTED, CallerHungUp
from ivr.domain.incident import LegState, LegView, Role
from ivr.services.incident_desk import IncidentDesk
from tests.doubles.memory_store import MemoryCalls, MemoryIncidents, MemoryLegs
from tests.doubles.scripted_call import ScriptedCall

Flow = Callable[[ScriptedCall, IncidentDesk, str, str], Awaitable[None]]
ALL: list[Flow] = [legs.agent_leg, legs.duty_leg, legs.family_leg, legs.elder_leg]


async def told(
    flow: Flow, *presses: str, accepts: bool = True, gone_at: str = "", recording_is_said: bool = False
) -> list[str]:
    """What was heard and put on record, in order."""
    story: list[str] = []
    records = MemoryLegs(story)
    records.accepts = accepts
    desk = IncidentDesk(MemoryIncidents(story), records, MemoryCalls(story), recording_is_said=recording_is_said)
    await flow(ScriptedCall(*presses, story=story, gone_at=gone_at), desk, "A1", "ROOM")
    return story


async def test_the_first_seat_to_pick_up_has_it() -> None:
    assert await told(legs.agent_leg) == ["accept A1 if first", "play agent/emergency", "room ROOM helper"]


async def test_the_second_seat_hears_that_a_colleague_was_first_and_is_free_again() -> None:
    assert await told(legs.agent_leg, accepts=False) == [
        "accept A1 if first",
        "mark A1 cancelled",
        "play agent/already_taken",
        "hangup",
    ]


async def test_the_duty_phone_is_in_the_room_after_pressing_1() -> None:
    assert await told(legs.duty_leg, "1") == [
        "ask duty/emergency 123",
        "accept A1 if first",
        "play duty/connecting",
        "room ROOM helper",
    ]


async def test_the_duty_phone_that_presses_too_late_is_told_so() -> None:
    assert await told(legs.duty_leg, "1", accepts=False) == [
        "ask duty/emergency 123",
        "accept A1 if first",
        "mark A1 cancelled",
        "play agent/already_taken",
        "hangup",
    ]


async def test_a_machine_at_the_duty_phone_is_nobody() -> None:
    nobody = ["mark A1 not_confirmed", "play duty/not_confirmed", "hangup"]
    assert await told(legs.duty_leg) == ["ask duty/emergency 123", *nobody]
    assert await told(legs.duty_leg, "?") == ["ask duty/emergency 123", "ask duty/press_instead 123", *nobody]


@pytest.mark.parametrize("no", ["2", "decline"])
async def test_the_duty_phone_that_cannot_has_declined_and_is_told_so(no: str) -> None:
    assert await told(legs.duty_leg, no) == ["ask duty/emergency 123", "declined A1", "play duty/declined", "hangup"]


@pytest.mark.parametrize("flow", [legs.duty_leg, legs.family_leg])
async def test_who_was_not_understood_is_asked_once_more_by_keys_alone(flow: Flow) -> None:
    of = "duty" if flow is legs.duty_leg else "family"
    keys = "123" if of == "duty" else "123D"
    asked = ["ask duty/emergency 123" if of == "duty" else "ask family/alarm 123D", f"ask {of}/press_instead {keys}"]
    accepted = await told(flow, "?", "1")
    assert accepted[:2] == asked
    assert accepted[-1] == "room ROOM helper"
    assert await told(flow, "?", "2") == [*asked, "declined A1", f"play {of}/declined", "hangup"]
    assert await told(flow, "?", "") == [*asked, "mark A1 not_confirmed", f"play {of}/not_confirmed", "hangup"]
    assert await told(flow, "?", "3", "1") == [*asked, asked[0], *accepted[2:]], "the question again, for keys"
    with pytest.raises(AssertionError, match="nothing can be said here"):
        await told(flow, "?", "3", "accept")


async def test_a_relative_who_presses_1_is_in_the_room() -> None:
    assert await told(legs.family_leg, "1") == [
        "ask family/alarm 123D",
        "accept A1",
        "play family/connecting",
        "room ROOM helper",
    ]


async def test_where_the_room_says_that_it_records_nothing_else_stands_before_it() -> None:
    heard = await told(legs.family_leg, "1", recording_is_said=True)
    assert heard == ["ask family/alarm 123D", "accept A1", "room ROOM helper"]


async def interrupted(*presses: str, come: bool = True, one: bool = False) -> list[str]:
    story: list[str] = []
    other = LegView("L2", Role.FAMILY, "13800000002", 2, LegState.ACCEPTED, 1, live=True)
    other.accepted_at = datetime.now(UTC) if come else None
    desk = IncidentDesk(MemoryIncidents(story), MemoryLegs(story, other), MemoryCalls(story), one_relative=one)
    await legs.family_leg(ScriptedCall(INTERRUPTED, *presses, story=story), desk, "A1", "ROOM")
    return story


async def test_who_listens_when_another_has_come_is_told_so_and_may_come_too() -> None:
    asked = ["ask family/alarm 123D", "ask family/one_has_come 123"]
    assert (await interrupted("1"))[:3] == [*asked, "accept A1"]
    assert await interrupted("2") == [*asked, "declined A1", "play family/declined", "hangup"]
    assert await interrupted(one=True) == [asked[0], "mark A1 cancelled", "play family/already_answered", "hangup"]


async def test_a_telephone_that_has_such_a_key_learns_nothing_with_it() -> None:
    assert (await interrupted("1", come=False, one=True))[:2] == ["ask family/alarm 123D", "ask family/alarm 123"]


async def test_please_tell_me_again_plays_it_again_and_not_for_ever() -> None:
    assert await told(legs.family_leg, "3", "again", "1") == [
        *["ask family/alarm 123D"] * 3,
        "accept A1",
        "play family/connecting",
        "room ROOM helper",
    ]
    asked = await told(legs.family_leg, *["3"] * 9)
    assert asked == [*["ask family/alarm 123D"] * 3, "mark A1 not_confirmed", "play family/not_confirmed", "hangup"]


async def test_a_relative_who_presses_2_has_declined_and_is_thanked() -> None:
    assert await told(legs.family_leg, "2") == [
        "ask family/alarm 123D",
        "declined A1",
        "play family/declined",
        "hangup",
    ]


@pytest.mark.parametrize("pressed", ["", "9"])
async def test_a_voicemail_or_a_child_with_the_keys_is_not_a_relative(pressed: str) -> None:
    assert await told(legs.family_leg, pressed) == [
        "ask family/alarm 123D",
        "mark A1 not_confirmed",
        "play family/not_confirmed",
        "hangup",
    ]


async def test_the_elder_called_back_presses_nothing() -> None:
    assert await told(legs.elder_leg) == ["play elder/line_lost", "accept A1", "room ROOM elder"]


async def test_the_elder_hears_that_a_person_is_there_when_one_is() -> None:
    story: list[str] = []
    records = MemoryLegs(story, LegView("L1", Role.AGENT, "1001", 0, LegState.ACCEPTED, 1))
    records.legs[0].live, records.legs[0].accepted_at = True, records.opened_at
    desk = IncidentDesk(MemoryIncidents(story), records, MemoryCalls(story))
    await legs.elder_leg(ScriptedCall(story=story, gone_at=""), desk, "A1", "ROOM")
    assert story[0] == "play elder/call_back"


@pytest.mark.parametrize("flow", ALL)
async def test_every_way_through_every_leg_ends_out_of_agi(flow: Flow) -> None:
    """Whatever is pressed and whoever was first: no journey falls off its end, which would leave a caller to the
    dialplan's last resort."""
    for pressed in ("", "1", "2", "#", "?"):
        for accepts in (True, False):
            story = await told(flow, pressed, accepts=accepts)
            assert story[-1] in ("hangup", "room ROOM helper", "room ROOM elder"), story


@pytest.mark.parametrize("flow", ALL)
async def test_a_room_is_entered_only_by_who_was_accepted(flow: Flow) -> None:
    for pressed in ("", "1", "2"):
        story = await told(flow, pressed)
        if any(line.startswith("room") for line in story):
            assert any(line.startswith("accept A1") for line in story), story


@pytest.mark.parametrize("verb", ["ask", "play"])
async def test_who_hangs_up_in_mid_prompt_is_in_no_room(verb: str) -> None:
    for flow in (legs.duty_leg, legs.family_leg):
        with pytest.raises(CallerHungUp):
            await told(flow, "1", gone_at=verb)


# ---- by voice


async def test_saying_yes_is_as_good_as_pressing_1() -> None:
    assert await told(legs.family_leg, "accept") == await told(legs.family_leg, "1")
    assert await told(legs.duty_leg, "accept") == await told(legs.duty_leg, "1")
    assert await told(legs.duty_leg, "accept", accepts=False) == await told(legs.duty_leg, "1", accepts=False)


async def test_saying_no_is_as_good_as_pressing_2() -> None:
    assert await told(legs.family_leg, "decline") == await told(legs.family_leg, "2")


@pytest.mark.parametrize("flow", [legs.family_leg, legs.duty_leg])
async def test_speech_that_nobody_understood_is_no_yes(flow: Flow) -> None:
    asked, _by_keys, *after = await told(flow, "?")
    assert [asked, *after] == await told(flow, "")


@pytest.mark.parametrize("flow", [legs.family_leg, legs.duty_leg])
async def test_a_cry_for_help_goes_to_the_room_and_is_no_yes(flow: Flow) -> None:
    story = await told(flow, "distress.fall")
    assert story[-1] == "room ROOM helper"
    assert not [line for line in story if line.startswith("accept")]
