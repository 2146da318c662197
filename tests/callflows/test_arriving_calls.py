"""What an arriving caller goes through: on record first, then a word, then out of AGI."""

from __future__ import annotations

import pytest

from ivr.callflows.arrival import arriving_call
from ivr.callflows.call import CallerHungUp
from ivr.callflows.hotline import unanswered_call
from ivr.callflows.seat import seat_call
from ivr.domain.incident import ArrivedCall
from ivr.services.incident_desk import IncidentDesk
from ivr.services.ports import StoreUnavailable
from ivr.services.ticket_desk import TicketDesk
from tests.doubles.memory_store import (
    ROOM,
    MemoryCalls,
    MemoryIncidents,
    MemoryLegs,
    MemorySeats,
    MemoryTickets,
)
from tests.doubles.scripted_call import ScriptedCall

ONE_KEY = "12349120"
DEVICE = "13900007777"


class Centre:
    """Everything behind a call, with one story of it all."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.incidents = MemoryIncidents(self.story)
        self.tickets = MemoryTickets(self.story, DEVICE)
        calls = MemoryCalls(self.story)
        self.incident_desk = IncidentDesk(self.incidents, MemoryLegs(self.story), calls)
        self.ticket_desk = TicketDesk(self.tickets, calls)

    async def takes(self, did: str, caller: str = "02150001111", gone_at: str = "") -> ScriptedCall:
        call = ScriptedCall(story=self.story, did=did, caller_id=caller, gone_at=gone_at)
        arrived = ArrivedCall("node1", call.uniqueid, call.linkedid, did, caller)
        await arriving_call(call, arrived, self.incident_desk, self.ticket_desk, ONE_KEY)
        return call


@pytest.fixture
def centre() -> Centre:
    return Centre()


async def test_a_press_is_on_record_before_a_word_is_spoken_and_leads_into_the_room(centre: Centre) -> None:
    await centre.takes(ONE_KEY)
    assert centre.story == [
        "still ours",
        "alarm call 02150001111",
        "answer",
        "accept 1700000000.1",
        "play emergency/help_is_coming",
        f"room {ROOM} elder",
    ]
    (alarm,) = centre.incidents.alarms
    assert alarm.idempotency_key == "call:node1:1700000000.1", "engine and lifeline report one call"
    assert not alarm.needs_look


async def test_a_device_that_dials_the_hotline_is_an_emergency(centre: Centre) -> None:
    await centre.takes("12349", DEVICE)
    assert f"room {ROOM} elder" in centre.story
    assert not any(line.startswith("ticket") for line in centre.story)


async def test_an_ordinary_caller_is_on_record_greeted_and_queued(centre: Centre) -> None:
    await centre.takes("12349")
    assert centre.story == [
        "still ours",
        "ticket 02150001111",
        "queue C1",
        "call answered C1",
    ]
    assert centre.incidents.alarms == []


async def test_a_caller_who_withholds_his_number_is_served(centre: Centre) -> None:
    await centre.takes("12349", "")
    await centre.takes(ONE_KEY, "")
    assert "queue C1" in centre.story
    assert f"room {ROOM} elder" in centre.story


@pytest.mark.parametrize("did", [ONE_KEY, "12349"])
async def test_a_call_that_the_lifeline_has_taken_meanwhile_opens_nothing(centre: Centre, did: str) -> None:
    with pytest.raises(CallerHungUp):
        await centre.takes(did, gone_at="still ours")
    assert centre.story == ["still ours"]


@pytest.mark.parametrize("did", [ONE_KEY, "12349"])
async def test_without_the_database_nothing_is_said_and_the_lifeline_gets_the_call(centre: Centre, did: str) -> None:
    centre.incidents.away = centre.tickets.away = True
    with pytest.raises(StoreUnavailable):
        await centre.takes(did)
    assert centre.story == ["still ours"], "not answered, not left: no marker"


async def test_who_hangs_up_in_the_first_word_is_an_alarm_all_the_same(centre: Centre) -> None:
    with pytest.raises(CallerHungUp):
        await centre.takes(ONE_KEY, gone_at="play")
    assert len(centre.incidents.alarms) == 1


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("TIMEOUT", "queue/all_busy"),
        ("JOINEMPTY", "queue/nobody_logged_in"),
        ("LEAVEEMPTY", "queue/nobody_logged_in"),
        ("", "queue/nobody_logged_in"),
    ],
)
async def test_a_caller_nobody_took_is_told_why_and_the_duty_phone_is_rung(centre: Centre, why: str, said: str) -> None:
    call = ScriptedCall(story=centre.story)
    await unanswered_call(call, centre.ticket_desk, "C1", why, duty_phone=True)
    assert centre.story == [f"play {said}", "duty C1"]


@pytest.mark.parametrize(("why", "duty_phone"), [("DUTY", True), ("TIMEOUT", False), ("JOINEMPTY", False)])
async def test_at_the_end_of_all_ways_a_call_back_is_promised_and_on_record_first(
    centre: Centre, why: str, duty_phone: bool
) -> None:
    call = ScriptedCall(story=centre.story)
    await unanswered_call(call, centre.ticket_desk, "C1", why, duty_phone=duty_phone)
    assert centre.story == ["call C1 call_back_promised call-back", "play queue/call_back_promise", "hangup"]


async def test_who_hangs_up_during_the_promise_is_called_back_too(centre: Centre) -> None:
    call = ScriptedCall(story=centre.story, gone_at="play")
    with pytest.raises(CallerHungUp):
        await unanswered_call(call, centre.ticket_desk, "C1", "DUTY", duty_phone=True)
    assert "call C1 call_back_promised call-back" in centre.story


@pytest.mark.parametrize("state", ["ready", "away"])
async def test_a_seat_sets_itself_and_hears_it(state: str) -> None:
    seats, call = MemorySeats("1001", "1002"), ScriptedCall()
    await seat_call(call, seats, "1001", state)
    assert seats.states["1001"] == state
    assert seats.states["1002"] == "away"
    assert seats.by == ["desk phone 1001"]
    assert call.story == ["answer", f"play agent/seat_{state}", "hangup"]


@pytest.mark.parametrize(("extension", "state"), [("1009", "ready"), ("", "ready"), ("1001", "paused"), ("1001", "")])
async def test_what_a_desk_phone_may_not_do_changes_nothing_and_is_said(extension: str, state: str) -> None:
    seats, call = MemorySeats("1001"), ScriptedCall()
    await seat_call(call, seats, extension, state)
    assert seats.by == []
    assert call.story == ["answer", "play agent/not_allowed", "hangup"]
