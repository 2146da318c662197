"""Somebody was sent: the elder is called again until that one is at the door, and a worse answer reaches everybody."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.calls.harness import Answers, NoAnswer, Town
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, System, prompt
from tests.calls.test_helpers import GOES, HOSPITAL, NEAR, enlist

PHONE = "02150001111"
WANG = Person("E1", "王秀英", PHONE, ["13800000001"])
SOON = {"IVR_RECALL_EVERY_S": "10", "IVR_RECALL_AGAIN_S": "5"}


async def sent(system: System, town: Town) -> tuple[str, Any]:
    """The elder has spoken with an agent, who sent a worker; he is on his way, and everybody has hung up."""
    town.duty(DUTY, NoAnswer())
    await enlist(system, (NEAR, 0.01))
    agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.3))
    await system.ready("1001")
    town.family("13800000001", Answers(after_s=0.3, presses="1", presses_after_s=2))
    worker = town.family(NEAR, GOES)
    lamp = await town.call(PHONE, "12349120")
    await lamp.answered()
    await system.leg("agent", "1001", "accepted")
    await system.leg("family", "13800000001", "accepted")
    incident = str((await system.incidents())[0]["id"])
    body = {"role": "worker", "worker_no": "W1", "by": "李娜"}
    await system.api("POST", f"/incidents/{incident}/legs", body, status=201)
    await system.leg("worker", NEAR, "accepted")
    for leg in (worker.calls[0], town_family(town, "13800000001"), agent.calls[0], lamp):
        await leg.hang_up()
    return incident, agent


def town_family(town: Town, number: str) -> Any:
    return next(phone for phone in town.phones if getattr(phone, "number", "") == number).calls[-1]


async def test_no_worse_is_called_again_until_somebody_is_at_the_door(place: MakePlace) -> None:
    async with place([WANG], **SOON) as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        incident, _agent = await sent(system, town)
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
        incident, agent = await sent(system, town)
        body = {"role": "hospital", "hospital": "静安医院", "by": "李娜"}
        await system.api("POST", f"/incidents/{incident}/legs", body, status=201)
        await system.leg("hospital", HOSPITAL, "accepted")
        await doctor.calls[0].hang_up()
        daughter = next(phone for phone in town.phones if getattr(phone, "number", "") == "13800000001")
        call = await home.called(within=20)
        await call.hears(prompt("recall/how_are_you"))
        call.press("2")
        said = asyncio.get_running_loop().time()
        await call.hears(prompt("recall/stay_with_us"))
        family, hospital = await daughter.called(within=30, nth=2), await doctor.called(within=30, nth=2)
        waits = [round(leg.invited_at - said, 1) for leg in (family, hospital)]
        print(f"worse answer to the family's and the hospital's phones {waits}")
        assert max(waits) < 30
        await family.hears(prompt("family/worse"))
        seat = await agent.called(nth=2)
        assert call.talking, "he is in the room"
        (found,) = await system.incidents()
        assert [e["why"] for e in found["events"] if e["kind"] == "incident.worsened"] == ["worse"]
        for leg in (call, seat, family, hospital):
            await leg.hang_up()
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "护理员1"}, status=200)


async def test_silence_on_that_call_counts_as_need(place: MakePlace) -> None:
    async with place([WANG], **SOON) as (system, town):
        home = town.family(PHONE, Answers(after_s=0.5))
        incident, agent = await sent(system, town)
        call = await home.called(within=20)
        await call.hears(prompt("recall/stay_with_us"), within=45)
        seat = await agent.called(nth=2)
        (found,) = await system.incidents()
        assert [e["why"] for e in found["events"] if e["kind"] == "incident.worsened"] == ["silent"]
        await call.hang_up()
        await seat.hang_up()
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "护理员1"}, status=200)


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
        await call.hang_up()
        await first.hang_up()
