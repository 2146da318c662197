"""A caller nobody took is asked by voice; what is not understood leads to a person, never to a third question."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.callflows.call import CallerHungUp
from ivr.callflows.wish import busy_call
from ivr.services.incident_desk import IncidentDesk
from ivr.services.listening_desk import ListeningDesk
from ivr.services.ports import HeardCall, StoreUnavailable
from ivr.services.ticket_desk import TicketDesk
from tests.callflows.test_listening import CALL, Line, MemoryHeard
from tests.doubles.memory_store import ROOM, MemoryCalls, MemoryIncidents, MemoryLegs, MemoryTickets
from tests.doubles.scripted_call import ScriptedCall

ASK = "ask wish/what 1"
AGAIN = "ask speech/say_again 1"
BACK = "ask wish/call_back 12"
NOTED = "heard service.meal 100 category"
PERSON = ["play speech/to_a_person", "duty C1"]
PROMISE = ["call C1 call_back_promised call-back", "play queue/call_back_promise", "hangup"]


class Waiting(MemoryHeard):
    """One call that waits, whose ticket may have a category already."""

    wish: str | None = None

    async def waiting(self, uniqueid: str) -> HeardCall | None:
        return replace(CALL, wish=self.wish) if await super().waiting(uniqueid) else None


class Desks:
    def __init__(self, *, duty_phone: bool = True) -> None:
        self.story: list[str] = []
        self.duty_phone = duty_phone
        self.heard = Waiting(self.story)
        self.incidents = MemoryIncidents(self.story)
        legs, calls = MemoryLegs(self.story), MemoryCalls(self.story)
        self.incident_desk = IncidentDesk(self.incidents, legs, calls)
        self.tickets = TicketDesk(MemoryTickets(self.story), calls)
        self.listening = ListeningDesk(self.heard, self.incidents, legs, Line(self.story))

    async def told(self, *answers: str, gone_at: str = "") -> list[str]:
        call = ScriptedCall(*answers, story=self.story, gone_at=gone_at)
        await busy_call(call, "C1", self.tickets, self.listening, self.incident_desk, duty_phone=self.duty_phone)
        assert call.left, "else the lifeline would have him"
        return self.story


@pytest.mark.parametrize("yes", ["yes", "call_back", "1"])
async def test_a_wish_and_a_yes_are_a_ticket_and_a_promised_call_back(yes: str) -> None:
    assert await Desks().told("service.meal", yes) == [ASK, NOTED, BACK, *PROMISE]


@pytest.mark.parametrize("no", ["no", "wait", "2", ""])
async def test_a_wish_and_no_yes_ring_the_duty_phone(no: str) -> None:
    assert await Desks().told("service.meal", no) == [ASK, NOTED, BACK, *PERSON]


@pytest.mark.parametrize("wants", ["1", "service.person", ""])
async def test_who_wants_a_person_or_says_nothing_has_one_at_once(wants: str) -> None:
    assert await Desks().told(wants) == [ASK, *PERSON]


async def test_the_second_failure_to_understand_is_the_last() -> None:
    assert await Desks().told("?", "?") == [ASK, AGAIN, *PERSON]
    assert await Desks().told("?", "") == [ASK, AGAIN, *PERSON]
    assert await Desks().told("?", "service.meal", "?") == [ASK, AGAIN, NOTED, BACK, *PERSON], (
        "of both questions together"
    )
    again = "ask wish/call_back_again 12"
    assert await Desks().told("service.meal", "?", "?") == [ASK, NOTED, BACK, again, *PERSON]
    assert await Desks().told("service.meal", "?", "yes") == [ASK, NOTED, BACK, again, *PROMISE]
    assert await Desks().told("?", "service.meal", "yes") == [ASK, AGAIN, NOTED, BACK, *PROMISE]


@pytest.mark.parametrize("before", [[], ["?"], ["service.meal"], ["service.meal", "?"]])
async def test_distress_in_any_answer_is_an_incident_on_record_before_we_speak(before: list[str]) -> None:
    story = await Desks().told(*before, "distress.fall")
    assert story[-5:] == [
        "alarm listening 02150001111",
        "heard distress.fall 100",
        "accept 1700000000.1",
        "play speech/help_is_coming",
        f"room {ROOM} elder",
    ]


async def test_who_hangs_up_after_a_cry_is_an_incident_all_the_same() -> None:
    desks = Desks()
    with pytest.raises(CallerHungUp):
        await desks.told("distress.fall", gone_at="play")
    assert len(desks.incidents.alarms) == 1


async def test_without_the_database_a_cry_goes_to_the_lifeline_as_a_cry() -> None:
    desks = Desks()
    desks.incidents.away = True
    assert await desks.told("distress.fall") == [ASK, "lifeline"]


async def test_without_the_database_a_wish_goes_to_the_lifeline() -> None:
    desks = Desks()
    desks.heard.away = True
    with pytest.raises(StoreUnavailable):
        await desks.told("service.meal")
    assert desks.story == [ASK], "not left: no marker"


async def test_what_he_said_while_he_waited_is_not_asked_again() -> None:
    desks = Desks()
    desks.heard.wish = "service.bath"
    assert await desks.told("no") == [BACK, *PERSON]


async def test_without_a_duty_phone_he_is_asked_once_and_called_back() -> None:
    ask = "ask wish/what_no_duty 1"
    assert await Desks(duty_phone=False).told("service.meal") == [ask, NOTED, *PROMISE]
    for answers in ([""], ["1"], ["service.person"]):
        assert await Desks(duty_phone=False).told(*answers) == [ask, *PROMISE]
    assert await Desks(duty_phone=False).told("?", "?") == [ask, AGAIN, *PROMISE]
    assert (await Desks(duty_phone=False).told("distress.fall"))[-1] == f"room {ROOM} elder"


async def test_who_is_not_on_record_as_waiting_has_a_person() -> None:
    desks = Desks()
    desks.heard.there = False
    assert await desks.told("service.meal") == PERSON


ANSWERS = ["", "?", "1", "2", "yes", "no", "call_back", "wait", "service.meal", "service.person", "distress.fire"]


@given(st.lists(st.sampled_from(ANSWERS), max_size=6), st.booleans())
async def test_whatever_is_answered_he_is_left_with_a_person_a_room_or_a_promise(
    answers: list[str], duty_phone: bool
) -> None:
    desks = Desks(duty_phone=duty_phone)
    story = await desks.told(*answers)
    asked = sum(line.startswith("ask") for line in story)
    assert asked <= 3, "two questions and one of them again"
    given_up = [line for line in story if line in (AGAIN, "ask wish/call_back_again 12")]
    assert len(given_up) <= 1
    used = answers[:asked]
    assert (story[-1] == f"room {ROOM} elder") == ("distress.fire" in used)
    assert (story[-1] == "hangup") == (PROMISE[0] in story), "nobody is hung up on without a promise on record"
    if duty_phone and not {"yes", "call_back"} & set(used) and "1" not in used[1:] and "distress.fire" not in used:
        assert story[-1] == "duty C1"
