"""The elder is called while help is on its way: only a clear word is "no worse", all else reaches everybody."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.callflows.legs import elder_leg
from ivr.domain.incident import LegState, LegView, Role, Wish
from ivr.services.incident_desk import IncidentDesk
from tests.doubles.memory_store import MemoryCalls, MemoryIncidents, MemoryLegs
from tests.doubles.scripted_call import ScriptedCall

ASKED = "ask recall/how_are_you 12"


async def told(*presses: str, agent_is_there: bool = False, wish: Wish | None = None) -> list[str]:
    story: list[str] = []
    records = MemoryLegs(story)
    records.legs.append(LegView("L0", Role.ELDER, "1", 0, LegState.RINGING, 1, live=True, wish=wish))
    records.awaited_since = records.opened_at
    if agent_is_there:
        agent = LegView("L1", Role.AGENT, "1001", 0, LegState.ACCEPTED, 1, live=True, accepted_at=records.opened_at)
        records.legs.append(agent)
    desk = IncidentDesk(MemoryIncidents(story), records, MemoryCalls(story))
    await elder_leg(ScriptedCall(*presses, story=story, gone_at=""), desk, "A1", "ROOM")
    return story


@pytest.mark.parametrize("answer", ["1", "well"])
async def test_no_worse_is_noted_and_he_hears_that_they_are_on_their_way(answer: str) -> None:
    assert await told(answer) == [ASKED, "mark A1 talked", "play recall/on_the_way", "hangup"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("2", "worse"),
        ("unwell", "worse"),
        ("distress.fall", "distress.fall"),
        ("", "silent"),
        ("?", "not_understood"),
    ],
)
async def test_all_else_is_on_record_before_he_hears_anything_and_he_stays_in_the_room(answer: str, why: str) -> None:
    assert await told(answer) == [
        ASKED,
        f"worsened ROOM {why}",
        "accept A1",
        "play recall/stay_with_us",
        "room ROOM elder",
    ]


async def test_a_person_who_waits_for_him_needs_no_machine_to_ask() -> None:
    assert (await told(agent_is_there=True))[0] == "play elder/call_back"


NOW = datetime(2026, 11, 22, tzinfo=UTC)


async def test_who_is_called_because_a_person_asked_for_it_goes_into_the_room() -> None:
    for tries in (1, 2, 3):
        assert await told(wish=Wish(NOW, attempts=tries)) == ["play elder/line_lost", "accept A1", "room ROOM elder"]


@pytest.mark.parametrize("wish", [Wish(NOW, attempts=4), Wish(NOW, attempts=1, last_accepted=NOW)])
async def test_a_wish_that_is_over_does_not_make_a_machines_call_a_persons(wish: Wish) -> None:
    assert (await told("1", wish=wish))[0] == ASKED
