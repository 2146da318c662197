"""What fails around a call: the manager interface, Asterisk itself, the database. Nobody is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.calls.ami_proxy import AmiProxy
from tests.calls.harness import Answers, Declines, NoAnswer, PortBlock, SippCommand, Town
from tests.calls.place import MakePlace, Place
from tests.calls.system import DUTY, Person, System, prompt

DEMO = Path(__file__).parents[2] / "prompts" / "demo"
CRY = DEMO / "elder_press.alaw"
WANG = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002", "13800000003"])


async def journal(system: System, *kinds: str) -> list[str]:
    """The kinds of these events, in the order they were committed."""
    events = (await system.api("GET", "/events?limit=1000", status=200))["items"]
    return [event["kind"] for event in events if event["kind"] in kinds]


@asynccontextmanager
async def with_a_cable(
    folder: Path, ports: PortBlock, sipp: SippCommand, person: Person, **options: str
) -> AsyncIterator[tuple[System, Town, AmiProxy]]:
    """A place whose engine reaches Asterisk's manager interface only through a proxy."""
    ami, ours = ports.take(), ports.take()
    place = Place(
        folder / "y", ports, sipp, [person], {"IVR_AMI_PORT": str(ami), **options}, {"IVR_AMI_PORT": str(ours)}
    )
    async with AmiProxy(ours, ami) as cable, place as (system, town):
        yield system, town, cable


async def until_ami(system: System, state: str, within: float = 8) -> float:
    await system.until(lambda: system.engine_status().get("ami") == state, within, f"AMI {state}")
    return time.monotonic()


async def test_after_ten_seconds_without_the_manager_interface_the_record_is_asterisks_own(
    tmp_path: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    """Meanwhile one relative hangs up, one answers and presses 1, an agent goes on talking, a phone goes on ringing."""
    async with with_a_cable(tmp_path, ports, sipp, WANG, IVR_FAMILY_RING_S="60") as (system, town, cable):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        ringing = await town.agent("1002", system.agents["1002"], NoAnswer())
        await system.ready("1001")
        answers = town.family("13800000001", Answers(after_s=12, presses="1", presses_after_s=2))
        declines = town.family("13800000002", Declines(after_s=10))
        third = town.family("13800000003", NoAnswer())
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.leg("agent", "1001", "accepted")
        await answers.called()
        await declines.called()
        await asyncio.sleep(6)  # older than what reconciliation leaves alone
        cable.cut()
        await until_ami(system, "down")
        await asyncio.sleep(10)
        # The engine hears nothing, yet a relative has pressed 1: that needs no manager interface.
        assert declines.calls[0].ended_at is not None
        await system.leg("family", "13800000001", "accepted", within=8)
        assert elder.talking
        assert seat.talking
        await cable.mend()
        await until_ami(system, "up")
        back = time.monotonic()
        await system.leg("family", "13800000002", "ended", within=5)
        assert time.monotonic() - back < 1.5, "on record at once, not at the next audit"
        await system.leg("agent", "1001", "accepted")
        await system.leg("elder", "02150001111", "accepted")
        assert len(answers.calls) == 1
        assert len(agent.calls) == 1, "who talks is not rung"
        assert ringing.calls == []
        assert await journal(system, "node.asterisk_lost", "node.asterisk_back") == [
            "node.asterisk_back",
            "node.asterisk_lost",
            "node.asterisk_back",
        ]
        elder.say(CRY)
        await seat.hears(CRY)
        for leg in (elder, seat, answers.calls[0]):
            await leg.hang_up()
        await system.leg("agent", "1001", "ended/talked")
        assert third.calls == []


async def test_a_phone_that_rings_through_the_cut_is_not_dialled_twice_and_is_known_to_ring(
    tmp_path: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    async with with_a_cable(tmp_path, ports, sipp, WANG, IVR_FAMILY_RING_S="60") as (system, town, cable):
        first, second = (town.family(n, NoAnswer()) for n in WANG.contacts[:2])
        third = town.family(WANG.contacts[2], NoAnswer())
        duty = town.duty(DUTY, NoAnswer())
        elder = await town.call("02150001111", "12349120")
        await first.called()
        await second.called()
        await duty.called()
        cable.cut()
        await until_ami(system, "down")
        await asyncio.sleep(7)
        await cable.mend()
        await until_ami(system, "up")
        await asyncio.sleep(3)
        for number in WANG.contacts[:2]:
            await system.leg("family", number, "ringing", within=1)
        assert [len(p.calls) for p in (first, second, third, duty)] == [1, 1, 0, 1]
        await elder.hang_up()


async def test_a_press_while_the_manager_interface_is_away_is_answered_and_dialled_afterwards(
    tmp_path: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    async with with_a_cable(tmp_path, ports, sipp, WANG) as (system, town, cable):
        daughter = town.family("13800000001", NoAnswer())
        cable.cut()
        await until_ami(system, "down")
        elder = await town.call("02150001111", "12349120")
        await elder.hears(prompt("emergency/help_is_coming"))
        (incident,) = await system.incidents()
        assert incident["elder"]["elder_no"] == "E1"
        assert daughter.calls == []
        await cable.mend()
        mended = time.monotonic()
        rung = await daughter.called(within=8)
        assert rung.invited_at - mended < 5
        assert elder.talking
        await elder.hang_up()


async def test_callers_who_were_queued_and_connected_during_a_cut_are_on_record_afterwards(
    tmp_path: Path, ports: PortBlock, sipp: SippCommand
) -> None:
    async with with_a_cable(tmp_path, ports, sipp, WANG) as (system, town, cable):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        await asyncio.sleep(1)  # Asterisk's queue knows the seat
        cable.cut()
        await until_ami(system, "down")
        served = await town.call("02150001111", "12349")
        await (await agent.called()).answered()
        waits = await town.call("02150002222", "12349")
        await waits.hears(prompt("hotline/greeting"))
        assert "call.queued" not in await journal(system, "call.queued"), "nobody told us"
        await asyncio.sleep(1)
        await cable.mend()
        await until_ami(system, "up")

        async def told() -> bool:
            return await journal(system, "call.queued", "call.connected") == ["call.connected", "call.queued"]

        await system.until(told, 5, "both calls' places")
        waiting = (await system.api("GET", "/queue", status=200))["waiting"]
        assert [one["caller_id"] for one in waiting] == ["02150002222"]
        for leg in (served, waits):
            await leg.hang_up()
        calls = (await system.api("GET", "/calls?number=02150001111", status=200))["items"]
        assert calls[0]["extension"] == "1001"


@pytest.mark.timeout(180)
async def test_asterisk_killed_in_mid_emergency_and_started_again_rings_everybody_anew(place: MakePlace) -> None:
    """The elder talked with an agent when the line was torn: that is no end, somebody has to reach the elder."""
    async with place([WANG], IVR_FAMILY_RING_S="40") as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        town.duty(DUTY, NoAnswer())
        daughter = town.family("13800000001", NoAnswer())
        home = town.family("02150001111", Answers(after_s=0.5))
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.leg("agent", "1001", "accepted")
        await system.leg("elder", "02150001111", "accepted")
        await daughter.called()
        incident_id = (await system.incidents())[0]["id"]
        await asyncio.sleep(3)
        await system.kill("asterisk")
        await until_ami(system, "down")
        # The telephones notice after a while; what they still sent could reach a port that is another call's by then.
        await asyncio.gather(*(leg.finish() for leg in (elder, seat, daughter.calls[0])))
        await system.start_asterisk()
        await until_ami(system, "up")
        back = time.monotonic()
        await agent.register()  # a desk phone does so by itself within its period
        again = await agent.called(within=15, nth=2)
        await again.answered()
        called_back = await home.called(within=10)
        await called_back.hears(prompt("elder/call_back"))
        assert called_back.invited_at - back < 15
        (incident,) = await system.incidents()
        assert incident["id"] == incident_id, "the same incident carries on"
        await system.leg("elder", "02150001111", "accepted")
        await asyncio.sleep(1)
        called_back.say(CRY)
        await again.hears(CRY)
        await called_back.hang_up()
        await again.hang_up()


@pytest.mark.timeout(180)
async def test_asterisk_stopped_in_order_counts_nobody_as_tried_and_nobody_as_gone(place: MakePlace) -> None:
    """It hangs everybody up and refuses every dial before it says that it stops."""
    async with place([WANG], IVR_FAMILY_RING_S="20") as (system, town):
        town.duty(DUTY, NoAnswer())
        comes = town.family("13800000001", Answers(after_s=0.5, presses="1", presses_after_s=4))
        second = town.family("13800000002", Declines(after_s=1))
        body = {"source": "t", "kind": "fall", "elder_no": "E1", "idempotency_key": "t"}
        await system.api("POST", "/alarms", body, status=201)
        await system.leg("family", "13800000001", "accepted", within=15)
        await system.cli("core stop now")
        await system.processes.pop("asterisk").wait()
        comes.behaves(NoAnswer())
        await asyncio.gather(*(call.finish() for phone in (comes, second) for call in phone.calls))
        rang = len(second.calls)
        await system.start_asterisk()
        await until_ami(system, "up")
        await comes.called(within=8, nth=2)
        await second.called(within=20, nth=rang + 1)


@contextlib.contextmanager
def locked(database: Path) -> Any:
    """Somebody holds the writing turn, as a stuck backup would."""
    connection = sqlite3.connect(database, isolation_level=None, timeout=5)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def test_with_the_database_locked_the_caller_hears_a_voice_and_reaches_the_duty_phone(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5))
        family = town.family("13800000001", NoAnswer())
        lease = system.settings.agi_lease_s
        with locked(system.folder / "yinling.db"):
            began = time.monotonic()
            elder = await town.call("02150001111", "12349120")
            answered = await elder.answered(within=lease + 4)
            assert answered - elder.invited_at < lease + 2
            await elder.hears(prompt("lifeline/connecting"), first_s=1.5)
            rung = await duty.called(within=8)
            await rung.answered()
            elder.say(CRY)
            await rung.hears(CRY)
            assert list(system.settings.spool_dir.glob("*.json")), "on a file, for later"
            await asyncio.sleep(max(0.0, began + 5 - time.monotonic()))
        await system.until(system.incidents, 8, "the spooled emergency is an incident")
        (incident,) = await system.incidents()
        assert incident["needs_look"]
        assert incident["elder"]["elder_no"] == "E1"
        await family.called()
        assert elder.talking
        assert list(system.settings.spool_dir.glob("*")) == []
        await elder.hang_up()


async def test_a_lock_that_ends_in_time_costs_the_caller_a_second_and_nothing_else(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        town.family("13800000001", NoAnswer())
        with locked(system.folder / "yinling.db"):
            elder = await town.call("02150001111", "12349120")
            await asyncio.sleep(1)
        await elder.hears(prompt("emergency/help_is_coming"))
        assert len(await system.incidents()) == 1
        assert not (await system.incidents())[0]["needs_look"]
        await elder.hang_up()


async def test_the_journal_tells_when_the_engine_came_and_went(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        del town
        system.processes["engine"].terminate()
        assert await asyncio.wait_for(system.processes.pop("engine").wait(), 10) == 0
        await system.start("engine")
        await system.kill("engine")
        await system.start("engine")
        assert await journal(system, "node.started", "node.stopped") == [
            "node.started",
            "node.stopped",
            "node.started",
            "node.started",
        ], "a kill leaves no last word"


@pytest.mark.timeout(180)
async def test_two_instances_on_one_machine_both_take_their_calls(tmp_path: Path, sipp: SippCommand) -> None:
    here, there = Person("E1", "王秀英", "02150001111", ["13800000001"]), Person("E9", "赵六", "02150009999")
    with PortBlock(300) as one, PortBlock(300) as two:
        async with (
            Place(tmp_path / "one", one, sipp, [here]) as (first, town),
            Place(tmp_path / "two", two, sipp, [there], {"IVR_DUTY_PHONE": ""}) as (second, village),
        ):
            family = town.family("13800000001", NoAnswer())
            callers = await asyncio.gather(
                town.call("02150001111", "12349120"), village.call("02150009999", "12349120")
            )
            for caller in callers:
                await caller.hears(prompt("emergency/help_is_coming"))
            await family.called()
            assert [i["elder"]["elder_no"] for i in await first.incidents()] == ["E1"]
            assert [i["elder"]["elder_no"] for i in await second.incidents()] == ["E9"]
            assert village.exchange.invites() == []
            ordinary = await asyncio.gather(town.call("02150001112", "12349"), village.call("02150001113", "12349"))
            for caller in ordinary:
                await caller.hears(prompt("hotline/greeting"))
            for caller in (*callers, *ordinary):
                await caller.hang_up()
