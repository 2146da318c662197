"""A seat's day: ready, away, paused, a new colleague; by desk phone, by API, by command line."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import pytest

from ivr.supervisor.preflight import only_one
from tests.calls.harness import Answers, NoAnswer, SippFailed
from tests.calls.harness.legs import Leg
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, System, prompt

WANG = Person("E1", "王秀英", "02150001111", ["13800000001"])


async def seat(system: System, extension: str) -> dict[str, Any]:
    agents = (await system.api("GET", "/queue", status=200))["agents"]
    return next(dict(agent) for agent in agents if agent["extension"] == extension)


async def until_state(system: System, extension: str, state: str) -> None:
    async def look() -> bool:
        return bool((await seat(system, extension))["state"] == state)

    await system.until(look, 5, f"{extension} is {state}")


async def until_queue(system: System, has: str, lacks: str = "\0") -> None:
    """Asterisk's own queue agrees."""

    async def look() -> bool:
        shown = await system.cli("queue show hotline") or ""
        return has in shown and lacks not in shown

    await system.until(look, 5, f"queue with {has!r}, without {lacks!r}")


async def state_changes(system: System, extension: str) -> list[tuple[str, str]]:
    events = (await system.api("GET", "/events?limit=1000", status=200))["items"]
    changes = [e for e in events if e["kind"] == "agent.state_changed" and e["extension"] == extension]
    return [(e["state"], e["by"]) for e in changes]


async def hangs_up_by_itself(leg: Leg) -> None:
    await leg.ended(10)
    assert leg.ended_by == "asterisk"


async def test_star_11_makes_the_seat_ready_and_star_12_takes_it_away_again(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        other = await town.agent("1002", system.agents["1002"], NoAnswer())
        assert (await seat(system, "1001"))["state"] == "away"
        dialled = await agent.dials("*11")
        await dialled.hears(prompt("agent/seat_ready"), first_s=1)
        await hangs_up_by_itself(dialled)
        await until_state(system, "1001", "ready")
        await until_queue(system, "PJSIP/1001")
        assert (await seat(system, "1002"))["state"] == "away", "nobody else's seat is touched"
        elder = await town.call("02150001111", "12349")
        rung = await agent.called()
        await rung.answered()
        await elder.hang_up()
        await rung.ended()

        dialled = await agent.dials("*12")
        await dialled.hears(prompt("agent/seat_away"), first_s=1)
        await hangs_up_by_itself(dialled)
        await until_state(system, "1001", "away")
        await until_queue(system, "hotline", "PJSIP/1001")
        by = "desk phone 1001"
        assert await state_changes(system, "1001") == [("ready", by), ("away", by)]
        duty = town.duty(DUTY, Answers(after_s=0.5))
        elder = await town.call("02150001111", "12349")
        await duty.called(within=15)
        await elder.hang_up()
        assert len(agent.calls) == 1, "who is away is not rung"
        assert other.calls == []


async def test_a_paused_seat_is_not_rung_and_a_resumed_one_is(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        first = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        second = await town.agent("1002", system.agents["1002"], Answers(after_s=0.5))
        await system.ready("1001", "1002")
        body = {"state": "paused", "reason": "午餐"}
        shown = await system.api("POST", "/agents/1001/state", body, status=200)
        assert (shown["state"], shown["reason"]) == ("paused", "午餐")
        await until_queue(system, "(paused")
        elder = await town.call("02150001111", "12349")
        await (await second.called()).answered()
        await elder.hang_up()
        assert first.calls == []

        await system.api("POST", "/agents/1002/state", {"state": "paused"}, status=200)
        await system.ready("1001")

        async def only_the_second_rests() -> bool:
            shown = (await system.cli("queue show hotline") or "").splitlines()
            resting = [line for line in shown if "(paused" in line]
            return len(resting) == 1 and "1002" in resting[0]

        await system.until(only_the_second_rests, 5, "1002 paused, 1001 not")
        elder = await town.call("02150001111", "12349")
        await (await first.called()).answered()
        await elder.hang_up()
        assert len(second.calls) == 1


async def test_an_agent_who_is_away_or_paused_is_not_rung_for_an_emergency(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agents = [await town.agent(e, system.agents[e], NoAnswer()) for e in ("1001", "1002", "1003")]
        town.family("13800000001", NoAnswer())
        await system.ready("1001", "1003")
        await system.api("POST", "/agents/1003/state", {"state": "paused"}, status=200)
        await until_queue(system, "(paused")
        elder = await town.call("02150001111", "12349120")
        await agents[0].called()
        await asyncio.sleep(3)
        assert [len(agent.calls) for agent in agents] == [1, 0, 0]
        # Ready in mid-emergency: rung at once.
        await system.ready("1002")
        await agents[1].called(within=5)
        await elder.hang_up()


async def test_a_seat_whose_telephone_is_gone_is_no_seat_to_ring(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], NoAnswer())
        await system.ready("1001")
        await agent.unregister()

        async def gone() -> bool:
            return system.engine_status()["devices"].get("1001") == "unavailable"

        await system.until(gone, 10, "1001 unavailable")
        duty = town.duty(DUTY, NoAnswer())
        elder = await town.call("02150001111", "12349120")
        await duty.called(within=5)
        assert agent.calls == []
        await elder.hang_up()


async def test_a_desk_phone_reaches_colleagues_and_our_lines_and_nobody_outside(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], NoAnswer())
        colleague = await town.agent("1002", system.agents["1002"], Answers(after_s=0.5))
        dialled = await agent.dials("1002")
        await (await colleague.called()).answered()
        await dialled.answered()
        await dialled.hang_up()
        outside = town.family("13800000001", NoAnswer())
        for number in ("13800000001", "0013800000001", "1002%40trunk", "1002&PJSIP%2f13800000001%40trunk", "110"):
            refused = await agent.dials(number)
            await refused.ended(5)
            assert refused.answered_at is None, number
        assert outside.calls == []
        assert town.exchange.invites() == [], "nothing went out through the trunk"


async def test_a_user_added_while_it_runs_registers_and_is_rung(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        with pytest.raises(SippFailed):
            await town.agent("1004", "a-new-secret", NoAnswer())
        with only_one(system.folder):  # as the supervisor of a running system does
            adding = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ivr.cli", "user", "add", "钱多多", "--role", "agent", "--extension", "1004",
                "--sip-secret", "a-new-secret", env={**os.environ, **system.env},
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said, _ = await adding.communicate()
        assert adding.returncode == 0, said.decode()
        assert "a-new-secret" not in said.decode()
        agent = await town.agent("1004", "a-new-secret", Answers(after_s=0.5))
        dialled = await agent.dials("*11")
        await dialled.hears(prompt("agent/seat_ready"), first_s=1)
        await dialled.ended(10)
        await until_queue(system, "PJSIP/1004")
        assert (await seat(system, "1004"))["name"] == "钱多多"
        elder = await town.call("02150001111", "12349")
        await (await agent.called()).answered()
        await elder.hang_up()
