"""Who of the family is dialled, told and let in, by policy and by a person's word."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from ivr.store.incident_view import CHINA
from tests.calls.harness import Answers, NoAnswer, Unreachable
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, System, prompt
from tests.calls.test_helpers import NEAR, enlist

WANG = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002"])
BY = {"by": "李娜"}


async def say(system: System, action: str, status: int = 200, **more: str) -> None:
    (incident,) = await system.incidents()
    await system.api("POST", f"/incidents/{incident['id']}/family", {"action": action, **BY, **more}, status=status)


async def test_pressed_by_mistake_stops_the_phones_and_who_has_answered_is_told(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        town.duty(DUTY, NoAnswer())
        slow = town.family("13800000001", Answers(after_s=0.5))
        rings = town.family("13800000002", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        talking = await slow.called()
        await talking.hears(prompt("family/alarm"))
        await rings.called()
        await say(system, "cancel", 422)  # without a reason: nothing happens
        assert rings.calls[0].ended_at is None
        await say(system, "cancel", word="elder", reason="老人说按错了，没有事")
        await rings.calls[0].ended(within=3)
        talking.press("1")
        await talking.hears(prompt("family/false_alarm"), since=asyncio.get_running_loop().time())
        await talking.ended()
        await asyncio.sleep(3)
        assert len(slow.calls) + len(rings.calls) == 2, "nobody is dialled any more"
        (incident,) = await system.incidents()
        (told,) = [e for e in incident["events"] if e["kind"] == "incident.family_cancelled"]
        assert (told["by"], told["word"]) == ("李娜", "elder")
        assert elder.talking
        again = await town.call("02150001111", "12349120")  # pressed anew: it is meant
        await rings.called(nth=2)
        await again.hang_up()
        await elder.hang_up()


async def test_by_the_agent_s_word_only(place: MakePlace) -> None:
    async with place([WANG], IVR_FAMILY_START="agent") as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        daughter = town.family("13800000001", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.leg("agent", "1001", "accepted")
        await asyncio.sleep(3)
        assert daughter.calls == []
        asked = asyncio.get_running_loop().time()
        await say(system, "start")
        assert (await daughter.called()).invited_at - asked < 2
        await elder.hang_up()
        await seat.hang_up()


async def test_without_an_agent_the_family_is_dialled_by_itself(place: MakePlace) -> None:
    async with place([WANG], IVR_FAMILY_START="agent") as (_system, town):
        town.duty(DUTY, NoAnswer())
        daughter = town.family("13800000001", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        waited = (await daughter.called(within=25)).invited_at - elder.invited_at
        assert 19 < waited < 23
        await elder.hang_up()


async def test_the_first_relative_only_where_the_centre_wants_it_so(place: MakePlace) -> None:
    async with place([WANG], IVR_FAMILY_JOIN="first") as (system, town):
        town.duty(DUTY, NoAnswer())
        first = town.family("13800000001", Answers(after_s=0.5, presses="1", presses_after_s=2))
        second = town.family("13800000002", Answers(after_s=0.5))
        elder = await town.call("02150001111", "12349120")
        late = await second.called()
        await first.called()
        await late.hears(prompt("family/already_answered"))  # without a key
        await late.ended()
        await system.in_room(2)
        await elder.hang_up()
        await first.calls[0].hang_up()


async def test_strictly_in_order_and_who_can_be_reached_at_this_hour_first(place: MakePlace) -> None:
    zhao = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002", "13800000003"])
    async with place([zhao], IVR_FAMILY_PARALLEL="1", IVR_FAMILY_RING_S="5") as (system, town):
        town.duty(DUTY, NoAnswer())
        hour = (datetime.now(CHINA) + timedelta(hours=3)).strftime("%H:00")
        later = (datetime.now(CHINA) + timedelta(hours=5)).strftime("%H:00")
        await system.sql(
            "UPDATE contact SET available_from = ?, available_to = ? WHERE phone = '13800000001'", hour, later
        )
        phones = [town.family(number, NoAnswer()) for number in zhao.contacts]
        elder = await town.call("02150001111", "12349120")
        last = [await phones[at].called(within=20) for at in (1, 2, 0)]
        rung = [leg.invited_at for leg in last]
        assert rung == sorted(rung)
        gaps = [round(then - at, 1) for at, then in pairwise(rung)]
        assert all(4.5 < gap < 8 for gap in gaps), f"one after the other: {gaps}"
        await elder.hang_up()


async def test_please_tell_me_again(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        town.duty(DUTY, NoAnswer())
        daughter = town.family("13800000001", Answers(after_s=0.5, presses="3", presses_after_s=4))
        elder = await town.call("02150001111", "12349120")
        leg = await daughter.called()
        once = await leg.hears(prompt("family/alarm"))
        await leg.hears(prompt("family/alarm"), since=leg.heard.began_at + once.at_s + 3)
        leg.press("1")
        await system.leg("family", "13800000001", "accepted")
        await leg.hang_up()
        await elder.hang_up()


async def test_a_carer_reports_and_the_family_is_phoned_with_no_elder_on_the_line(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        town.duty(DUTY, NoAnswer())
        daughter = town.family("13800000001", Answers(after_s=0.5, presses="1", presses_after_s=2))
        report = {"source": "carer_app", "kind": "convulsion", "elder_no": "E1", "note": "抽搐，已打 120"}
        asked = asyncio.get_running_loop().time()
        await system.api("POST", "/alarms", report, status=201)
        leg = await daughter.called()
        print(f"POST to INVITE {leg.invited_at - asked:.2f} s")
        assert leg.invited_at - asked < 2
        await system.leg("family", "13800000001", "accepted")
        await leg.hang_up()


async def test_who_listens_to_the_alarm_when_another_has_come_is_told_within_two_seconds(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        town.duty(DUTY, NoAnswer())
        first = town.family("13800000001", Answers(after_s=0.5))
        second = town.family("13800000002", Answers(after_s=0.5))
        elder = await town.call("02150001111", "12349120")
        comes, listens = await first.called(), await second.called()
        await listens.hears(prompt("family/alarm"), first_s=1.0)
        comes.press("1")
        pressed = asyncio.get_running_loop().time()
        told = await listens.hears(prompt("family/one_has_come"), within=4, first_s=1.0)
        after = listens.heard.began_at + told.at_s - pressed
        print(f"pressed 1 to the other one's being told {after:.2f} s")
        assert after < 2
        listens.press("1")
        await system.leg("family", "13800000002", "accepted")
        await system.in_room(3)
        for leg in (comes, listens, elder):
            await leg.hang_up()


async def test_a_relative_whom_the_network_refuses_is_dialled_again_though_it_was_his_only_round(
    place: MakePlace,
) -> None:
    async with place([WANG], IVR_FAMILY_ROUNDS="1", IVR_FAMILY_RING_S="4") as (system, town):
        town.duty(DUTY, NoAnswer())
        refused = town.family("13800000001", Unreachable(503))
        town.family("13800000002", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        await refused.called(within=12, nth=2)
        refused.behaves(Answers(after_s=0.3, presses="1", presses_after_s=2))
        await refused.called(within=8, nth=3)
        await system.leg("family", "13800000001", "accepted", within=15)
        await elder.hang_up()


@pytest.mark.long
async def test_who_cries_again_when_the_family_was_tried_in_vain_has_it_dialled_again(place: MakePlace) -> None:
    async with place([WANG], IVR_FAMILY_RING_S="4", IVR_EVERYBODY_AFTER_S="600") as (_, town):
        town.duty(DUTY, NoAnswer())
        phones = [town.family(number, NoAnswer()) for number in WANG.contacts]
        elder = await town.call("02150001111", "12349120")
        began = asyncio.get_running_loop().time()
        for phone in phones:
            await phone.called(nth=2, within=20)
        await asyncio.sleep(max(0.0, began + 62 - asyncio.get_running_loop().time()))
        assert [len(phone.calls) for phone in phones] == [2, 2], "every round is over"
        again = await town.call("02150001111", "12349120")
        for phone in phones:
            await phone.called(nth=3, within=5)
        await again.hang_up()
        await elder.hang_up()


async def test_whom_nobody_joins_has_everybody_called_and_120_proposed(place: MakePlace) -> None:
    """He is on the line all the time: silent, or speaking to nobody."""
    settings = {"IVR_FAMILY_RING_S": "3", "IVR_EVERYBODY_AFTER_S": "15", "IVR_PROPOSE_AMBULANCE_S": "20"}
    async with place([WANG], **settings) as (system, town):
        town.duty(DUTY, NoAnswer())
        await enlist(system, (NEAR, 0.01))
        worker = town.family(NEAR, NoAnswer())
        phones = [town.family(number, NoAnswer()) for number in WANG.contacts]
        elder = await town.call("02150001111", "12349120")
        for phone in phones:
            await phone.called(nth=3, within=25)
        await worker.called(within=10)

        async def proposed() -> bool:
            (incident,) = await system.incidents()
            return any(e["kind"] == "incident.escalated" and e["why"] == "propose_120" for e in incident["events"])

        await system.until(proposed, 15, "120 is proposed")
        assert elder.talking
        await elder.hang_up()
