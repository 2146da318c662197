"""One press, end to end, judged from outside: what the far ends received and heard, what the API says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.harness import Answers, Busy, Declines, NoAnswer, Unreachable, Voicemail
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, prompt

DEMO = Path(__file__).parents[2] / "prompts" / "demo"
CRY = DEMO / "elder_press.alaw"
CALM = DEMO / "agent_emergency.alaw"
DAUGHTER = DEMO / "daughter.alaw"
WANG = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002", "13800000003"], "P-1", "13900007777")
COUPLE = [
    Person("E2", "李建国", "02150002222", ["13800000004"]),
    Person("E3", "陈桂花", "02150002222", ["13800000005", "13800000004"]),
]
PICKS_UP_AND_PRESSES_1 = Answers(after_s=0.5, presses="1", presses_after_s=2)


async def test_a_press_brings_agent_and_daughter_into_one_room_with_the_elder(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        daughter = town.family("13800000001", PICKS_UP_AND_PRESSES_1)
        son = town.family("13800000002", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        await elder.answered()
        assert (await system.incidents())[0]["elder"]["elder_no"] == "E1", "on record before a word is spoken"
        await elder.hears(prompt("emergency/help_is_coming"))
        seat, call = await agent.called(), await daughter.called()
        await son.called()
        await system.leg("agent", "1001", "accepted")
        await call.hears(prompt("family/alarm"))
        await system.leg("family", "13800000001", "accepted")
        await system.in_room(3)
        elder.say(CRY)
        await seat.hears(CRY)
        await call.hears(CRY)
        await elder.said()
        seat.say(CALM)
        await elder.hears(CALM)
        await call.hears(CALM)
        await seat.said()
        call.say(DAUGHTER)
        await elder.hears(DAUGHTER)
        # One relative has come: the other's phone stops ringing, nobody else is dialled.
        await system.leg("family", "13800000002", "ended/cancelled")
        assert town.exchange.invites(number="13800000003") == []
        for leg in (elder, call, seat):
            await leg.hang_up()
        await system.leg("elder", "02150001111", "ended/talked")
        await system.leg("family", "13800000001", "ended/talked")
        await system.leg("agent", "1001", "ended/talked")
        incident = (await system.incidents())[0]
        assert incident["state"] == "open", "only a person closes it"
        for leg in incident["legs"]:
            if leg["accepted_at"]:
                assert leg["outcome"] == "talked"
                assert leg["dialled_at"] <= leg["answered_at"] <= leg["accepted_at"] <= leg["ended_at"]


async def test_incident_agents_and_two_contacts_come_at_once(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agents = [await town.agent(e, system.agents[e], NoAnswer()) for e in ("1001", "1002", "1003")]
        await system.ready("1001", "1002", "1003")
        phones = [town.family(n, NoAnswer()) for n in WANG.contacts]
        elder = await town.call("02150001111", "12349120")
        rung = [(await a.called()).invited_at - elder.invited_at for a in agents]
        dialled = [(await p.called()).invited_at - elder.invited_at for p in phones[:2]]
        assert max(rung) < 2, rung
        assert max(dialled) < 2, dialled
        await asyncio.sleep(1)
        assert phones[2].calls == [], "two at a time"
        await elder.hang_up()


async def test_the_first_agent_to_answer_has_it_and_the_others_stop_ringing(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        slow = await town.agent("1001", system.agents["1001"], NoAnswer())
        quick = await town.agent("1002", system.agents["1002"], Answers(after_s=1))
        await system.ready("1001", "1002")
        elder = await town.call("02150001111", "12349120")
        ringing = await slow.called()
        await (await quick.called()).hears(prompt("agent/emergency"), first_s=1)
        await ringing.ended(3)
        assert ringing.answered_at is None
        await system.leg("agent", "1001", "ended/cancelled")
        await elder.hang_up()


async def test_a_contact_who_cannot_be_reached_gives_way_to_the_next_and_the_list_goes_round_twice(
    place: MakePlace,
) -> None:
    async with place([WANG], IVR_FAMILY_RING_S="3") as (system, town):
        phones = [
            town.family(WANG.contacts[0], Busy()),
            town.family(WANG.contacts[1], NoAnswer()),
            town.family(WANG.contacts[2], Declines()),
        ]
        elder = await town.call("02150001111", "12349120")
        for number, outcome in zip(WANG.contacts, ("busy", "no_answer", "declined"), strict=True):
            for phone in phones:
                if phone.number == number:
                    await phone.called(within=20, nth=2)
            await system.leg("family", number, f"ended/{outcome}", within=15)
        await asyncio.sleep(4)
        assert [len(phone.calls) for phone in phones] == [2, 2, 2], "two rounds, then people decide"
        first_rounds = max(phone.calls[0].invited_at for phone in phones)
        second_rounds = min(phone.calls[1].invited_at for phone in phones)
        assert first_rounds < second_rounds, "everybody once before anybody twice"
        kinds = [e["kind"] for e in (await system.incidents())[0]["events"]]
        assert "incident.escalated" in kinds, "the screen says that the family was not reached"
        await elder.hang_up()


@pytest.mark.long
async def test_a_voicemail_is_not_a_relative(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        machine = town.family("13800000001", Voicemail(DAUGHTER))
        town.family("13800000002", Unreachable(404))
        third = town.family("13800000003", PICKS_UP_AND_PRESSES_1)
        elder = await town.call("02150001111", "12349120")
        await machine.called()
        await third.called(within=5)
        await system.leg("family", "13800000002", "ended/unreachable")
        await system.leg("family", "13800000003", "accepted")
        leg = await system.leg("family", "13800000001", "ended/not_confirmed", within=60)
        assert leg["answered_at"]
        assert leg["accepted_at"] is None
        await elder.hang_up()


async def test_a_relative_who_presses_2_has_declined_and_is_thanked(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        busy = town.family("13800000001", Answers(after_s=0.5, presses="2", presses_after_s=1))
        town.family("13800000002", Busy())
        third = town.family("13800000003", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        await (await busy.called()).hears(prompt("family/declined"), first_s=1.5)
        await system.leg("family", "13800000001", "ended/declined")
        await third.called()
        await elder.hang_up()


async def test_with_no_agent_ready_the_duty_phone_is_rung_and_counts_after_pressing_1(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5, presses="1", presses_after_s=3))
        elder = await town.call("02150001111", "12349120")
        rung = await duty.called(within=8)
        await rung.hears(prompt("duty/emergency"))
        await system.leg("supervisor", DUTY, "accepted")
        await system.in_room(2)
        rung.say(CALM)
        await elder.hears(CALM)
        await elder.hang_up()
        await rung.hang_up()


async def test_an_elder_alone_in_the_room_hears_that_somebody_is_coming(place: MakePlace) -> None:
    async with place([Person("E9", "孤老", "02150009999")], IVR_DUTY_PHONE="") as (system, town):
        del system
        elder = await town.call("02150009999", "12349120")
        await elder.hears(prompt("emergency/help_is_coming"))
        await elder.hears(prompt("room/please_wait"), within=20, first_s=1.5)
        assert elder.heard.silence_gaps(4.0) == []
        await elder.hang_up()


async def test_a_registered_device_is_an_emergency_whatever_it_dials(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        daughter = town.family("13800000001", NoAnswer())
        elder = await town.call("13900007777", "12349")
        await elder.hears(prompt("emergency/help_is_coming"))
        await daughter.called()
        incident = (await system.incidents())[0]
        assert incident["elder"]["elder_no"] == "E1"
        assert incident["alarms"][0]["device_id"] == "P-1"
        await elder.hang_up()


async def test_two_elders_on_one_number_have_both_families_called_once(place: MakePlace) -> None:
    async with place(COUPLE) as (system, town):
        shared, other = town.family("13800000004", NoAnswer()), town.family("13800000005", NoAnswer())
        elder = await town.call("02150002222", "12349120")
        await shared.called()
        await other.called()
        await asyncio.sleep(1)
        assert len(shared.calls) == 1
        incident = (await system.incidents())[0]
        assert incident["elder"] is None
        assert sorted(e["elder_no"] for e in incident["elder_choices"]) == ["E2", "E3"]
        await elder.hang_up()


async def test_an_alarm_by_http_rings_agents_and_family_and_then_the_elder(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=1))
        await system.ready("1001")
        daughter = town.family("13800000001", PICKS_UP_AND_PRESSES_1)
        home = town.family("02150001111", Answers(after_s=0.5))
        body = {"source": "radar", "kind": "fall", "device_id": "P-1", "idempotency_key": "r-1"}
        opened = await system.api("POST", "/alarms", body, status=201)
        again = await system.api("POST", "/alarms", body, status=200)
        assert again["incident_id"] == opened["incident_id"]
        seat = await agent.called()
        await (await daughter.called()).hears(prompt("family/alarm"))
        rung = await home.called()
        assert seat.answered_at is not None
        assert seat.answered_at < rung.invited_at, "the elder is called once there is somebody to talk to"
        await rung.hears(prompt("elder/call_back"))
        await system.leg("elder", "02150001111", "accepted")
        assert len((await system.incidents())[0]["alarms"]) == 1
        await rung.hang_up()
        await seat.hang_up()


async def test_closing_needs_a_person_and_a_reason_and_stops_the_dialling(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        ringing = town.family("13800000001", NoAnswer())
        town.family("13800000002", NoAnswer())
        opened = await system.api("POST", "/alarms", {"source": "app", "kind": "help", "elder_no": "E1"}, status=201)
        call = await ringing.called()
        path = f"/incidents/{opened['incident_id']}/close"
        for body in ({}, {"by": "张三"}, {"by": "张三", "outcome": "ok", "reason": "  "}):
            refused = await system.api("POST", path, body)
            assert refused["error"]["field"] in ("by", "outcome", "reason"), refused
        assert call.ended_at is None
        why = {"by": "张三", "outcome": "false_alarm", "reason": "老人误按，已核实"}
        await system.api("POST", path, why, status=200)
        await call.ended(3)
        assert await system.incidents() == []
        await asyncio.sleep(1)
        assert len(ringing.calls) == 1
