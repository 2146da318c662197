"""The ordinary call to 12349, in each of its ways; none ends in silence or a cut line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.calls.harness import Answers, NoAnswer
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, System, prompt

PROMPTS = Path(__file__).parents[2] / "prompts"
REQUEST = PROMPTS / "demo" / "elder_call.alaw"
HELLO = PROMPTS / "demo" / "agent_hello.alaw"
WANG = Person("E1", "王秀英", "02150001111", ["13800000001"])
COUPLE = [Person("E2", "李建国", "02150002222"), Person("E3", "陈桂花", "02150002222")]


PEOPLE = [WANG, *COUPLE]


async def only_call(system: System, caller: str) -> dict[str, Any]:
    """The only call of this number, whole, once it has ended."""

    async def look() -> dict[str, Any] | None:
        items = (await system.api("GET", f"/calls?number={caller}", status=200))["items"]
        if len(items) == 1 and items[0]["ended_at"]:
            return dict(await system.api("GET", f"/calls/{items[0]['id']}", status=200))
        return None

    return dict(await system.until(look, 8, f"the ended call of {caller}"))


async def ticket_of(system: System, call: dict[str, Any]) -> dict[str, Any]:
    no = call["ticket"]["no"] if isinstance(call["ticket"], dict) else call["ticket"]
    return dict(await system.api("GET", f"/tickets/{no}", status=200))


async def test_caller_and_agent_hear_each_other_and_a_ticket_tells_of_it(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=1, says=HELLO, says_after_s=0.5))
        await system.ready("1001")
        elder = await town.call("02150001111", "12349")
        await elder.hears(prompt("hotline/greeting"))
        rung = await agent.called()
        opened = (await system.api("GET", "/tickets", status=200))["items"]
        assert [t["elder"]["elder_no"] for t in opened] == ["E1"], "the ticket exists before anybody has answered"
        await rung.answered()
        await elder.hears(HELLO)
        elder.say(REQUEST)
        await rung.hears(REQUEST)
        waiting = (await system.api("GET", "/queue", status=200))["waiting"]
        assert waiting == [], "a connected caller waits no more"
        await elder.hang_up()
        await rung.ended()
        call = await only_call(system, "02150001111")
        assert call["outcome"] == "talked"
        assert (
            call["arrived_at"] <= call["answered_at"] <= call["queued_at"] <= call["connected_at"] <= call["ended_at"]
        )
        ticket = await ticket_of(system, call)
        assert ticket["elder"]["elder_no"] == "E1"
        assert ticket["outcome"] == "talked"
        assert not ticket["call_back"]


async def test_the_line_stays_until_the_agent_hangs_up(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5, hangs_up_after_s=2))
        await system.ready("1001")
        elder = await town.call("02150001111", "12349")
        await agent.called()
        await elder.ended(15)
        assert elder.ended_by == "asterisk"
        assert (await only_call(system, "02150001111"))["outcome"] == "talked"


async def test_a_number_nobody_knows_is_served_and_its_ticket_names_no_elder(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        elder = await town.call("02199998888", "12349")
        await (await agent.called()).answered()
        await elder.hang_up()
        ticket = await ticket_of(system, await only_call(system, "02199998888"))
        assert ticket["elder"] is None
        assert ticket["elder_choices"] == []


async def test_two_elders_on_one_number_are_a_choice_and_not_a_guess(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        elder = await town.call("02150002222", "12349")
        await (await agent.called()).answered()
        await elder.hang_up()
        ticket = await ticket_of(system, await only_call(system, "02150002222"))
        assert ticket["elder"] is None
        assert sorted(e["elder_no"] for e in ticket["elder_choices"]) == ["E2", "E3"]


async def test_with_nobody_logged_in_the_caller_is_told_and_reaches_the_duty_phone(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        duty = town.duty(DUTY, Answers(after_s=1, says=HELLO, says_after_s=0.5))
        elder = await town.call("02150001111", "12349")
        await elder.hears(prompt("queue/nobody_logged_in"), within=12)
        rung = await duty.called()
        await rung.answered()
        elder.say(REQUEST)
        await rung.hears(REQUEST)
        await elder.hears(HELLO)
        await elder.hang_up()
        call = await only_call(system, "02150001111")
        assert call["outcome"] == "talked", "he has talked to a person"
        assert not (await ticket_of(system, call))["call_back"]


async def test_when_the_duty_phone_does_not_answer_either_a_call_back_is_promised(place: MakePlace) -> None:
    async with place(PEOPLE, IVR_DUTY_RING_S="3") as (system, town):
        town.duty(DUTY, NoAnswer())
        elder = await town.call("02150001111", "12349")
        await elder.hears(prompt("queue/call_back_promise"), within=25)
        await elder.ended(12)
        call = await only_call(system, "02150001111")
        assert call["outcome"] == "call_back_promised"
        assert (await ticket_of(system, call))["call_back"]


async def test_with_everybody_busy_the_caller_hears_music_and_is_next(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        first = await town.call("02150001111", "12349")
        await (await agent.called()).answered()
        second = await town.call("02150002222", "12349")
        await second.hears(prompt("hotline/greeting"))

        async def waits() -> bool:
            queue = await system.api("GET", "/queue", status=200)
            return [w["caller_id"] for w in queue["waiting"]] == ["02150002222"]

        await system.until(waits, 10, "the second caller waits")
        await asyncio.sleep(4)
        assert len(agent.calls) == 1, "a busy agent is not rung"
        assert second.talking
        assert second.heard.silence_gaps(3.0) == [], "a waiting caller never hears silence for long"
        await first.hang_up()
        await (await agent.called(within=25, nth=2)).answered()
        await second.hang_up()


async def test_a_caller_who_gives_up_leaves_a_ticket_that_wants_a_call_back(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        await town.agent("1001", system.agents["1001"], NoAnswer())
        await system.ready("1001")
        elder = await town.call("02150001111", "12349")
        await elder.hears(prompt("hotline/greeting"))
        await asyncio.sleep(4)
        await elder.hang_up()
        call = await only_call(system, "02150001111")
        assert call["outcome"] == "abandoned"
        assert (await ticket_of(system, call))["call_back"]


async def test_an_engine_that_dies_during_the_greeting_costs_the_caller_nothing(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=1, says=HELLO, says_after_s=0.5))
        await system.ready("1001")
        elder = await town.call("02150001111", "12349")
        await elder.answered()
        await system.kill("engine")
        await elder.hears(prompt("hotline/greeting"))
        await (await agent.called()).answered()
        await elder.hears(HELLO)
        assert town.exchange.invites(DUTY) == [], "not the lifeline: Asterisk goes on alone"
        await system.start("engine")
        await elder.hang_up()
        assert (await only_call(system, "02150001111"))["ended_at"]
