"""A line that was cut, or pressed and hung up: the elder is called again, and the incident stays with people."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.harness import Answers, Busy, NoAnswer, Phone
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, prompt
from tests.calls.test_helpers import NEAR, enlist

CRY = Path(__file__).parents[2] / "prompts" / "demo" / "elder_press.alaw"
CALM = CRY.with_name("agent_emergency.alaw")
PHONE = "02150001111"
WANG = Person("E1", "王秀英", PHONE, ["13800000001", "13800000002", "13800000003"])


async def test_who_presses_and_hangs_up_is_called_again_within_five_seconds(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        for number in WANG.contacts:
            town.family(number, NoAnswer())
        town.duty(DUTY, NoAnswer())
        home: Phone = town.family(PHONE, Answers(after_s=1))
        elder = await town.call(PHONE, "12349120")
        await elder.answered()
        await elder.hang_up()
        cut = asyncio.get_running_loop().time()
        again = await home.called()
        print(f"cut to INVITE {again.invited_at - cut:.2f} s")
        assert again.invited_at - cut < 5
        await again.hears(prompt("elder/line_lost"))
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.api("POST", "/agents/1001/state", {"state": "ready"}, status=200)  # and is rung at once
        seat = await agent.called()
        await system.in_room(2)
        again.say(CRY)
        await seat.hears(CRY)
        await again.said()
        await again.hang_up()
        await asyncio.sleep(6)
        assert len(home.calls) == 1, "he has spoken with a person: that person decides"
        (incident,) = await system.incidents()
        assert incident["state"] == "open"
        await seat.hang_up()


async def test_the_family_of_an_unknown_caller_is_dialled_once_he_has_been_named(place: MakePlace) -> None:
    async with place([WANG], IVR_DUTY_PHONE="", IVR_FAMILY_PARALLEL="1") as (system, town):
        son = town.family(WANG.contacts[0], Answers(after_s=0.3, presses="1", presses_after_s=2))
        elder = await town.call("18800001111", "12349120")
        await elder.answered()
        await system.in_room(1)
        (incident,) = await system.incidents()
        assert (incident["elder"], son.calls) == (None, [])
        found = await system.api("GET", "/elders?q=wxy", status=200)
        (one,) = found["items"]
        body = {"elder_no": one["elder_no"], "by": "李娜"}
        named = await system.api("POST", f"/incidents/{incident['id']}/elder", body, status=200)
        assert named["elder"]["name"] == "王秀英"
        call = await son.called(within=3)
        await system.leg("family", WANG.contacts[0], "accepted")
        await system.in_room(2)
        elder.say(CRY)
        await elder.said()
        elder.say(CRY)  # he was alone: the room may be speaking over his first words
        await call.hears(CRY, within=15)
        await elder.hang_up()
        await call.hang_up()


async def test_who_hung_up_in_mid_talk_is_called_back_when_the_agent_wants_it(place: MakePlace) -> None:
    async with place([Person("E1", "王秀英", PHONE)], IVR_DUTY_PHONE="") as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.3))
        await system.ready("1001")
        elder = await town.call(PHONE, "12349120")
        await elder.answered()
        seat = await agent.called()
        await system.in_room(2)
        incident = str((await system.incidents())[0]["id"])
        wish = {"role": "elder", "by": "李娜"}
        problem = await system.api("POST", f"/incidents/{incident}/legs", wish, status=409)
        assert problem["error"]["code"] == "on_the_line"
        await asyncio.sleep(1)
        await elder.hang_up()
        await system.leg("elder", PHONE, "ended/talked")
        await asyncio.sleep(6)
        assert home.calls == [], "no machine calls him: that is the agent's to decide"
        await system.api("POST", f"/incidents/{incident}/legs", wish, status=201)
        asked = asyncio.get_running_loop().time()
        again = await home.called(within=5)
        print(f"click to INVITE {again.invited_at - asked:.2f} s")
        await again.hears(prompt("elder/call_back"))
        await system.in_room(2)
        again.say(CRY)
        await seat.hears(CRY)
        await again.said()
        seat.say(CALM)
        await again.hears(CALM)
        assert len(home.calls) == 1
        await again.hang_up()
        await asyncio.sleep(9)  # longer than the pause between two tries of a wish
        assert len(home.calls) == 1, "he has come: the wish is fulfilled"
        await seat.hang_up()


@pytest.mark.long
async def test_three_tries_in_a_minute_then_the_whole_family_then_120_is_proposed(place: MakePlace) -> None:
    async with place([WANG], IVR_FAMILY_RING_S="90", IVR_PROPOSE_AMBULANCE_S="65") as (system, town):
        family = [town.family(number, NoAnswer()) for number in WANG.contacts]
        town.duty(DUTY, NoAnswer())
        home = town.family(PHONE, NoAnswer())
        await enlist(system, (NEAR, 0.01))
        worker = town.family(NEAR, NoAnswer())
        elder = await town.call(PHONE, "12349120")
        await elder.answered()
        await elder.hang_up()
        cut = asyncio.get_running_loop().time()
        tries = [(await home.called(within=30, nth=n)).invited_at - cut for n in (1, 2, 3)]
        print([round(at, 1) for at in tries])
        assert tries[0] < 5
        assert tries[2] < 60
        assert family[2].calls == [], "two at a time until then"
        await family[2].called(within=25)
        assert all(phone.calls[0].ended_at is None for phone in family), "all three ring at once"
        await worker.called(within=5)  # and a worker is offered the way

        async def proposed() -> bool:
            (incident,) = await system.incidents()
            return any(e["kind"] == "incident.escalated" and e["why"] == "propose_120" for e in incident["events"])

        await system.until(proposed, 75 - (asyncio.get_running_loop().time() - cut), "120 is proposed")
        assert asyncio.get_running_loop().time() - cut > 64


async def test_a_busy_line_is_tried_again(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        for number in WANG.contacts:
            town.family(number, NoAnswer())
        home = town.family(PHONE, Busy())
        elder = await town.call(PHONE, "12349120")
        await elder.answered()
        await elder.hang_up()
        await home.called(nth=1)
        home.behaves(Answers(after_s=0.5))
        again = await home.called(nth=2, within=8)
        await again.hears(prompt("elder/line_lost"))
        await system.leg("elder", PHONE, "accepted")
        await again.hang_up()
