"""An emergency takes the agent on the least urgent ordinary call; that caller is told, and gets the same agent back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.chaos.clock import SEEN_AFTER_S, StepClock
from tests.calls.harness import (
    AgentPhone,
    Answers,
    Elder,
    IncomingLeg,
    NoAnswer,
    PortBlock,
    SippCommand,
    Town,
    find_prompt,
)
from tests.calls.place import MakePlace, Place
from tests.calls.system import DUTY, Person, System, prompt
from tests.calls.test_ordinary_call import only_call, ticket_of

MUSIC = Path(__file__).parents[2] / "prompts" / "moh" / "queue.alaw"
DEMO = Path(__file__).parents[2] / "prompts" / "demo"
CRY, CALM, HELLO = DEMO / "elder_press.alaw", DEMO / "agent_emergency.alaw", DEMO / "agent_hello.alaw"
WANG = Person("E1", "王秀英", "02150001111")
ORDINARY = "02150007777"
OTHER = "02150008888"
PEOPLE = [WANG, Person("E7", "赵六", ORDINARY)]
TAKES = Answers(after_s=0.3)


async def talking(system: System, town: Town, extension: str, caller: str) -> tuple[AgentPhone, IncomingLeg, Elder]:
    """This seat and an ordinary caller hear each other."""
    agent = await town.agent(extension, system.agents[extension], TAKES)
    await system.ready(extension)
    line = await town.call(caller, "12349")
    leg = await agent.called()
    await leg.answered()
    leg.say(HELLO)
    await line.hears(HELLO)
    return agent, leg, line


async def test_the_only_agent_is_taken_from_an_ordinary_call_and_comes_back_to_it(place: MakePlace) -> None:
    async with place(PEOPLE, IVR_BREAK_IN_S="3") as (system, town):
        agent, seat, caller = await talking(system, town, "1001", ORDINARY)
        elder = await town.call("02150001111", "12349120")
        leg = await system.leg("agent", "1001", "accepted")
        await system.in_room(2)
        taken = asyncio.get_running_loop().time()
        print(f"press to seat in the room {taken - elder.invited_at:.2f} s")
        assert taken - elder.invited_at < 6, "3 s of search, and the move"
        elder.say(CRY)
        await seat.hears(CRY)
        await elder.said()
        seat.say(CALM)
        await elder.hears(CALM)
        apology = await caller.hears(prompt("queue/parked"))
        await caller.hears(MUSIC, within=12, since=caller.heard.began_at + apology.at_s + 7)
        assert caller.talking
        assert len(agent.calls) == 1, "one line: it was moved, not rung"
        assert leg["attempts"] == 1
        await elder.hang_up()
        await seat.hang_up()
        back = await agent.called(nth=2)  # his telephone is idle: the parked caller, and nobody else
        await back.answered()
        back.say(HELLO)
        await caller.hears(HELLO, since=back.invited_at)
        await caller.hang_up()
        call = await only_call(system, ORDINARY)
        assert call["outcome"] == "talked"
        kinds = [event["kind"] for event in (await system.api("GET", "/events?limit=500", status=200))["items"]]
        assert kinds.index("call.parked") < kinds.index("call.returned")
        await system.ready("1001")  # and the seat is in the queue again


async def test_a_free_agent_is_rung_and_nobody_is_parked(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        _, _, caller = await talking(system, town, "1001", ORDINARY)
        free = await town.agent("1002", system.agents["1002"], Answers(after_s=0.5))
        await system.ready("1002")
        elder = await town.call("02150001111", "12349120")
        await free.called()
        await system.leg("agent", "1002", "accepted")
        await asyncio.sleep(4)
        assert caller.talking
        kinds = [event["kind"] for event in (await system.api("GET", "/events?limit=500", status=200))["items"]]
        assert "call.parked" not in kinds
        await elder.hang_up()
        await caller.hang_up()


async def test_two_emergencies_take_two_different_agents(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        _, first_seat, first = await talking(system, town, "1001", ORDINARY)
        _, second_seat, second = await talking(system, town, "1002", "02150008888")
        one = await town.call("02150001111", "12349120")
        two = await town.call("02150009999", "12349120")

        async def both() -> bool:
            legs = [leg for i in await system.incidents() for leg in i["legs"] if leg["role"] == "agent"]
            return sorted(leg["phone"] for leg in legs if leg["state"] == "accepted") == ["1001", "1002"]

        await system.until(both, 8, "two agents in two rooms")
        await first.hears(prompt("queue/parked"))
        await second.hears(prompt("queue/parked"))
        for leg in (one, two, first_seat, second_seat, first, second):
            await leg.hang_up()


async def test_the_least_urgent_call_is_the_one_that_is_parked(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        _, _, urgent = await talking(system, town, "1001", ORDINARY)  # the longer one: it would go first
        (ticket,) = (await system.api("GET", "/tickets", status=200))["items"]
        await system.sql("UPDATE ticket SET category = 'service.urgent_help' WHERE no = ?", ticket["no"])
        _, seat, other = await talking(system, town, "1002", "02150008888")
        elder = await town.call("02150001111", "12349120")
        await system.leg("agent", "1002", "accepted")
        await other.hears(prompt("queue/parked"))
        assert urgent.talking
        assert not find_prompt(urgent.heard.pcm(), prompt("queue/parked")).found
        for leg in (elder, seat, urgent, other):
            await leg.hang_up()


async def test_who_hangs_up_while_parked_is_called_back(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        _, seat, caller = await talking(system, town, "1001", ORDINARY)
        elder = await town.call("02150001111", "12349120")
        await system.leg("agent", "1001", "accepted")
        await caller.hears(prompt("queue/parked"))
        await caller.hang_up()
        call = await only_call(system, ORDINARY)
        assert call["outcome"] == "hung_up_while_parked"
        assert (await ticket_of(system, call))["call_back"] is True
        await elder.hang_up()
        await seat.hang_up()

        async def unpaused() -> bool:
            return "parked" not in (await system.cli("queue show hotline") or "")

        await system.until(unpaused, 5, "the seat is in the queue again")


async def test_a_parked_caller_is_kept_by_asterisk_when_the_engine_dies(place: MakePlace) -> None:
    async with place(PEOPLE) as (system, town):
        agent, seat, caller = await talking(system, town, "1001", ORDINARY)
        elder = await town.call("02150001111", "12349120")
        await system.leg("agent", "1001", "accepted")
        await caller.hears(prompt("queue/parked"))
        await system.kill("engine")
        await elder.hang_up()
        await seat.hang_up()
        back = await agent.called(nth=2)
        await back.answered()
        back.say(HELLO)
        await caller.hears(HELLO, since=back.invited_at)
        await system.start("engine")
        await caller.hang_up()
        assert (await only_call(system, ORDINARY))["outcome"] == "talked"


async def test_after_a_minute_whoever_is_free_takes_the_parked_caller(place: MakePlace) -> None:
    async with place(PEOPLE, IVR_PARKED_WAIT_S="4") as (system, town):
        _, seat, caller = await talking(system, town, "1001", ORDINARY)
        elder = await town.call("02150001111", "12349120")
        await system.leg("agent", "1001", "accepted")
        other = await town.agent("1002", system.agents["1002"], TAKES)
        await system.ready("1002")
        rung = await other.called(within=12)
        await rung.answered()
        rung.say(HELLO)
        await caller.hears(HELLO, since=rung.invited_at)
        for leg in (elder, seat, caller):
            await leg.hang_up()
        assert (await only_call(system, ORDINARY))["outcome"] == "talked"


async def test_who_was_parked_first_is_served_first(place: MakePlace) -> None:
    """Both have waited for their own seats in vain; the second goes before the ordinary caller who came earlier."""
    people = [*PEOPLE, Person("E8", "孙八", OTHER)]
    async with place(people, IVR_PARKED_WAIT_S="3") as (system, town):
        _, one, first = await talking(system, town, "1001", ORDINARY)
        _, two, second = await talking(system, town, "1002", OTHER)
        elders = [await town.call("02150001111", "12349120")]
        await system.leg("agent", "1001", "accepted")
        await asyncio.sleep(9)
        elders.append(await town.call("02150009999", "12349120"))

        async def waiting() -> int:
            return (await system.cli("queue show hotline") or "").count("(wait:")

        async def queued(many: int) -> None:
            async def so_many() -> bool:
                return await waiting() == many

            await system.until(so_many, 20, f"{many} in the queue")

        await queued(1)
        waits = await town.call("02150005555", "12349")
        await queued(2)
        assert first.talking
        assert (await system.leg("agent", "1002", "accepted"))["ended_at"] is None
        await queued(3)
        third = await town.agent("1003", system.agents["1003"], TAKES)
        await system.api("POST", "/agents/1003/state", {"state": "ready"}, status=200)
        for nth, caller in enumerate((first, second, waits), 1):
            rung = await third.called(within=12, nth=nth)
            await rung.answered()
            rung.say(HELLO)
            await caller.hears(HELLO, since=rung.invited_at)
            await caller.hang_up()
            await rung.ended()
        for leg in (*elders, one, two):
            await leg.hang_up()


@pytest.mark.long
async def test_a_clock_that_is_set_leaves_nobody_parked_for_an_hour(
    tmp_path: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    """Asterisk's own wait of one second then lasts an hour; the engine ends it. Set forward, nothing is cut short."""
    clock = StepClock(tmp_path / "clock")
    there = Place(tmp_path / "y", ports, sipp, PEOPLE, {"IVR_PARKED_WAIT_S": "25"}, clock_env=clock.env())
    async with there as (system, town):
        _, seat, caller = await talking(system, town, "1001", ORDINARY)
        elder = await town.call("02150001111", "12349120")
        await system.leg("agent", "1001", "accepted")
        other = await town.agent("1002", system.agents["1002"], TAKES)
        await system.ready("1002")
        await caller.hears(prompt("queue/parked"))
        await asyncio.sleep(prompt("queue/parked").stat().st_size / 8000)
        clock.step(300)
        await asyncio.sleep(SEEN_AFTER_S + 3)
        assert other.calls == [], "he waits for his own seat, and not the less"
        clock.step(-3600)
        rung = await other.called(within=65)
        await rung.answered()
        rung.say(HELLO)
        await caller.hears(HELLO, since=rung.invited_at)
        for leg in (elder, seat, caller):
            await leg.hang_up()


async def test_no_seat_at_all_climbs_to_supervisor_and_those_on_call(place: MakePlace) -> None:
    ladder = {"IVR_SUPERVISOR_PHONES": "13600000001", "IVR_ON_CALL_PHONES": "13600000002,13600000003"}
    async with place(PEOPLE, **ladder) as (system, town):
        duty = town.duty(DUTY, NoAnswer())
        supervisor = town.duty("13600000001", NoAnswer())
        on_call = [town.duty(f"1360000000{n}", NoAnswer()) for n in (2, 3)]
        elder = await town.call("02150001111", "12349120")
        waits = [round((await phone.called()).invited_at - elder.invited_at, 1) for phone in (duty, supervisor)]
        waits += [round((await phone.called(within=12)).invited_at - elder.invited_at, 1) for phone in on_call]
        print(waits)
        assert waits[0] < 3
        assert 4.5 < waits[1] < 7
        assert all(9.5 < wait < 12 for wait in waits[2:])
        (incident,) = await system.incidents()
        whys = [e["why"] for e in incident["events"] if e["kind"] == "incident.escalated"]
        assert whys == ["duty_phone", "supervisor", "on_call"]
        assert elder.talking
        await elder.hang_up()
