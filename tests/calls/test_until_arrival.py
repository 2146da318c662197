"""Somebody was sent: the elder is called again until that one is at the door, and a worse answer reaches everybody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from tests.calls.harness import AgentPhone, Answers, Busy, FamilyPhone, NoAnswer, Town
from tests.calls.harness.listen import best_prompt
from tests.calls.place import MakePlace
from tests.calls.spoken import clip, says
from tests.calls.system import DUTY, Person, System, prompt
from tests.calls.test_helpers import GOES, HOSPITAL, NEAR, enlist

PHONE = "02150001111"
WANG = Person("E1", "王秀英", PHONE, ["13800000001"])
SOON = {"IVR_RECALL_EVERY_S": "10", "IVR_RECALL_AGAIN_S": "5"}


@dataclass
class Sent:
    """The elder has spoken with an agent, who sent a worker; he is on his way, and everybody has hung up."""

    incident: str
    agent: AgentPhone
    daughter: FamilyPhone


async def sent(system: System, town: Town) -> Sent:
    town.duty(DUTY, NoAnswer())
    await enlist(system, (NEAR, 0.01))
    agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.3))
    await system.ready("1001")
    daughter = town.family("13800000001", GOES)
    worker = town.family(NEAR, GOES)
    lamp = await town.call(PHONE, "12349120")
    await lamp.answered()
    await system.leg("agent", "1001", "accepted")
    await system.leg("family", "13800000001", "accepted")
    incident = str((await system.incidents())[0]["id"])
    body = {"role": "worker", "worker_no": "W1", "by": "李娜"}
    await system.api("POST", f"/incidents/{incident}/legs", body, status=201)
    await system.leg("worker", NEAR, "accepted")
    for leg in (worker.calls[0], daughter.calls[0], agent.calls[0], lamp):
        await leg.hang_up()
    return Sent(incident, agent, daughter)


async def worsened(system: System) -> list[str]:
    (found,) = await system.incidents()
    return [e["why"] for e in found["events"] if e["kind"] == "incident.worsened"]


@pytest.mark.long
async def test_no_worse_is_called_again_until_somebody_is_at_the_door(place: MakePlace) -> None:
    async with place([WANG], **SOON) as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        incident = (await sent(system, town)).incident
        first = await home.called(within=20)
        await first.hears(prompt("recall/how_are_you"))
        first.press("1")
        await first.hears(prompt("recall/on_the_way"))
        await first.ended()
        second = await home.called(within=25, nth=2)
        assert second.invited_at - (first.ended_at or 0) > 8
        refused = {"by": "李娜", "outcome": "helped", "reason": "好了"}
        problem = await system.api("POST", f"/incidents/{incident}/close", refused, status=422)
        assert problem["error"]["field"] == "reason"
        await second.hang_up()
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "护理员1", "worker_no": "W1"}, status=200)
        await asyncio.sleep(12)
        assert len(home.calls) == 2, "somebody is with him"
        await system.api("POST", f"/incidents/{incident}/close", refused, status=200)


async def test_a_worse_answer_reaches_family_and_hospital(place: MakePlace) -> None:
    async with place([WANG], **SOON) as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        doctor = town.family(HOSPITAL, GOES)
        all_gone = await sent(system, town)
        incident = all_gone.incident
        body = {"role": "hospital", "hospital": "静安医院", "by": "李娜"}
        await system.api("POST", f"/incidents/{incident}/legs", body, status=201)
        await system.leg("hospital", HOSPITAL, "accepted")
        await doctor.calls[0].hang_up()
        doctor.behaves(Answers(after_s=0.3, presses="1", presses_after_s=10))
        call = await home.called(within=20)
        await call.hears(prompt("recall/how_are_you"))
        call.press("2")
        said = asyncio.get_running_loop().time()
        await call.hears(prompt("recall/stay_with_us"))
        family, hospital = await all_gone.daughter.called(within=30, nth=2), await doctor.called(within=30, nth=2)
        waits = [round(leg.invited_at - said, 1) for leg in (family, hospital)]
        print(f"worse answer to the family's and the hospital's phones {waits}")
        assert max(waits) < 30
        await family.hears(prompt("family/worse"))
        await system.leg("hospital", HOSPITAL, "accepted", within=20)
        # It begins like the first alarm; the sentence after that is another.
        either = {name: prompt(f"hospital/{name}") for name in ("worse", "alarm")}
        assert best_prompt(hospital.heard.pcm(), either)[0] == "worse"
        seat = await all_gone.agent.called(nth=2)
        assert call.talking, "he is in the room"
        assert await worsened(system) == ["worse"]
        for leg in (call, seat, family, hospital):
            await leg.hang_up()
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "护理员1"}, status=200)


@pytest.mark.long
async def test_silence_on_that_call_counts_as_need(place: MakePlace) -> None:
    async with place([WANG], **SOON) as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        all_gone = await sent(system, town)
        call = await home.called(within=20)
        await call.hears(prompt("recall/stay_with_us"), within=45)
        seat = await all_gone.agent.called(nth=2)
        assert await worsened(system) == ["silent"]
        await call.hang_up()
        await seat.hang_up()
        await system.api("POST", f"/incidents/{all_gone.incident}/arrived", {"by": "护理员1"}, status=200)


@pytest.mark.long
async def test_twice_unanswered_is_as_bad_as_a_cry(place: MakePlace) -> None:
    async with place([WANG], **SOON) as (system, town):
        home = town.family(PHONE, Busy())
        all_gone = await sent(system, town)
        await home.called(within=20)
        await home.called(within=15, nth=2)
        family = await all_gone.daughter.called(within=30, nth=2)
        assert await worsened(system) == ["no_answer"]
        await family.hang_up()
        await system.api("POST", f"/incidents/{all_gone.incident}/arrived", {"by": "护理员1"}, status=200)


async def test_he_may_say_it_and_a_cry_for_help_brings_everybody(place: MakePlace) -> None:
    async with place([WANG], speech=True, **SOON) as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        all_gone = await sent(system, town)
        call = await home.called(within=20)
        await call.hears(prompt("recall/how_are_you_say"))
        cried = await says(call, clip("fall"))
        await call.hears(prompt("recall/stay_with_us"), within=6, since=cried)
        family = await all_gone.daughter.called(within=30, nth=2)
        print(f"end of the cry to the family's phone {family.invited_at - cried:.1f} s")
        assert await worsened(system) == ["distress.fall"]
        for leg in (call, family):
            await leg.hang_up()
        await system.api("POST", f"/incidents/{all_gone.incident}/arrived", {"by": "护理员1"}, status=200)


async def test_where_the_file_allows_it_the_hospital_is_rung_when_nobody_comes(place: MakePlace) -> None:
    async with place([Person("E1", "王秀英", PHONE)], IVR_DUTY_PHONE="") as (system, town):
        await enlist(system)
        doctor = town.family(HOSPITAL, GOES)
        first = await town.call(PHONE, "12349120")
        await asyncio.sleep(18)
        assert doctor.calls == [], "only where it is allowed"
        await system.sql("UPDATE elder SET consent_hospital = 1 WHERE elder_no = 'E1'")
        call = await doctor.called(within=16)
        await system.in_room(2)
        (found,) = await system.incidents()
        assert "hospital" in [e.get("why") for e in found["events"] if e["kind"] == "incident.escalated"]
        await call.hang_up()
        await first.hang_up()
