"""The engine is dead or hangs: the caller hears a voice and reaches the duty phone, and nothing is forgotten."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.harness import Answers, Declines, NoAnswer
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, System, prompt

DEMO = Path(__file__).parents[2] / "prompts" / "demo"
WANG = Person("E1", "王秀英", "02150001111", ["13800000001"], "P-1", "13900007777")


async def disable(system: System, how: str) -> None:
    if how == "killed":
        await system.kill("engine")
    else:
        system.freeze("engine")


async def restore(system: System, how: str) -> None:
    if how == "killed":
        await system.start("engine")
    else:
        system.thaw("engine")


@pytest.mark.parametrize("how", ["killed", "stopped"])
@pytest.mark.parametrize("line", ["12349", "12349120"])
async def test_without_the_engine_the_caller_is_spoken_to_and_reaches_the_duty_phone(
    place: MakePlace, how: str, line: str
) -> None:
    async with place([WANG]) as (system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5))
        family = town.family("13800000001", NoAnswer())
        await disable(system, how)
        elder = await town.call("02150001111", line)
        await elder.ringing()
        await elder.hears(prompt("lifeline/connecting"), within=12)
        rung = await duty.called(within=12)
        await rung.answered()
        await asyncio.sleep(0.5)
        elder.say(DEMO / "elder_press.alaw")
        await rung.hears(DEMO / "elder_press.alaw")
        assert len(list(system.settings.spool_dir.glob("*.json"))) == 1
        await restore(system, how)
        if line == "12349120":
            await system.until(system.incidents, 8, "the spooled call is an incident")
            incident = (await system.incidents())[0]
            assert incident["needs_look"]
            assert incident["elder"]["elder_no"] == "E1"
            await family.called()
        else:

            async def ticket() -> bool:
                return bool((await system.api("GET", "/tickets", status=200))["items"])

            await system.until(ticket, 8, "the spooled call is a ticket")
            (found,) = (await system.api("GET", "/tickets", status=200))["items"]
            assert found["call_back"]
        assert elder.talking, "coming back, the engine does not touch the call"
        await elder.hang_up()


async def test_an_emergency_that_the_engine_saw_and_the_lifeline_too_is_one_incident(place: MakePlace) -> None:
    """SIGSTOP in mid-prompt: the lease ends, the lifeline takes over, the engine wakes up later."""
    async with place([WANG], IVR_AGI_LEASE_S="3") as (system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5))
        town.family("13800000001", NoAnswer())
        await town.agent("1001", system.agents["1001"], NoAnswer())
        await system.ready("1001")  # while a seat rings, the duty phone is the lifeline's alone
        elder = await town.call("02150001111", "12349120")
        await elder.hears(prompt("emergency/help_is_coming"), first_s=1)
        system.freeze("engine")
        await elder.hears(prompt("lifeline/connecting"), within=20)
        await (await duty.called(within=10)).answered()
        system.thaw("engine")
        await asyncio.sleep(3)
        assert len(await system.incidents()) == 1
        assert (await system.incidents())[0]["needs_look"]
        await elder.hang_up()


async def test_a_device_call_to_the_hotline_through_the_lifeline_is_an_incident(place: MakePlace) -> None:
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        await system.kill("engine")
        elder = await town.call("13900007777", "12349")
        await elder.hears(prompt("lifeline/please_dial_120"), within=12)
        await elder.hang_up()
        await system.start("engine")
        await system.until(system.incidents, 8, "an incident")


@pytest.mark.parametrize("after_s", [0.0, 0.03, 0.06, 0.1])
async def test_who_hangs_up_as_soon_as_the_lifeline_answers_is_not_forgotten(place: MakePlace, after_s: float) -> None:
    """A press and a hang-up within the tenth of a second in which the call is being written down."""
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        await system.kill("engine")
        elder = await town.call("02150001111", "12349120")
        await elder.answered(within=12)
        await asyncio.sleep(after_s)
        await elder.hang_up()
        await system.until(lambda: list(system.settings.spool_dir.glob("*.json")), 3, "the call is written down")
        log = (system.folder / "log" / "asterisk.log").read_text(errors="replace")
        assert "02150001111" not in log, "nobody's number in a log"
        await system.start("engine")
        await system.until(system.incidents, 8, "an incident")


async def test_who_gives_up_while_the_engine_hangs_is_not_forgotten(place: MakePlace) -> None:
    """No answer yet, no lifeline yet: the press lasted a second, within the lease of a stopped engine."""
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        system.freeze("engine")
        elder = await town.call("02150001111", "12349120")
        await elder.ringing()
        await asyncio.sleep(1)
        assert elder.answered_at is None
        await elder.hang_up()
        await system.until(lambda: list(system.settings.spool_dir.glob("*.json")), 3, "the call is written down")
        system.thaw("engine")
        await system.until(system.incidents, 8, "an incident")
        await asyncio.sleep(1)
        (incident,) = await system.incidents()
        assert incident["needs_look"]
        assert incident["elder"]["elder_no"] == "E1"


async def test_who_hangs_up_in_the_greeting_is_on_record_once(place: MakePlace) -> None:
    """The engine has the call: nothing is spooled, nobody is told to look at it as a call through the lifeline."""
    async with place([WANG]) as (system, town):
        elder = await town.call("02150001111", "12349120")
        await elder.hears(prompt("emergency/help_is_coming"), first_s=1)
        await elder.hang_up()
        await system.leg("elder", "02150001111", "ended")
        assert list(system.settings.spool_dir.glob("*")) == []
        (incident,) = await system.incidents()
        assert not incident["needs_look"]
        assert len(incident["alarms"]) == 1


@pytest.mark.long
async def test_the_duty_phone_is_tried_again_and_the_caller_is_told(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        duty = town.duty(DUTY, NoAnswer())
        await system.kill("engine")
        elder = await town.call("02150001111", "12349120")
        await duty.called(within=12)
        await elder.hears(prompt("lifeline/still_trying"), within=45)
        await duty.called(within=12, nth=2)
        assert elder.heard.silence_gaps(5.0) == []
        await elder.hang_up()
        await system.start("engine")
        await system.until(system.incidents, 8, "an incident")


async def test_a_restart_drops_nobody_and_the_incident_goes_on(place: MakePlace) -> None:
    """One talks, one waits in the room, two phones ring while the engine dies: all stay, and it goes on within 5 s."""
    family = Person("E1", "王秀英", "02150001111", ["13800000001", "13800000002", "13800000003"])
    # No break-in: it would rightly take the agent who talks.
    async with place([family], IVR_FAMILY_RING_S="40", IVR_BREAK_IN_S="0") as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.5))
        await system.ready("1001")
        daughter = town.family("13800000001", Answers(after_s=14, presses="1", presses_after_s=2))
        son = town.family("13800000002", Declines(after_s=4))
        talking = await town.call("02150008888", "12349")
        seat = await agent.called()
        await seat.answered()
        pressed = await town.call("02150001111", "12349120")
        await pressed.hears(prompt("emergency/help_is_coming"))
        await son.called()
        await system.kill("engine")
        await (await son.called()).ended(6)
        assert talking.talking
        assert pressed.talking
        await system.start("engine")
        back = asyncio.get_running_loop().time()
        # Nobody saw how the son's phone ended: a doubtful call is made again rather than not.
        again = await son.called(within=10, nth=2)
        assert again.invited_at - back < 5
        await system.leg("family", "13800000001", "accepted", within=15)
        assert len(daughter.calls) == 1, "a phone that went on ringing is not rung twice"
        assert talking.talking
        assert pressed.talking
        talking.say(DEMO / "elder_call.alaw")
        await seat.hears(DEMO / "elder_call.alaw")
        for leg in (talking, pressed, daughter.calls[0]):
            await leg.hang_up()


async def test_whom_only_the_lifeline_heard_is_called_back_when_his_line_is_gone(place: MakePlace) -> None:
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        home = town.family("02150001111", Answers(after_s=0.5))
        await system.kill("engine")
        elder = await town.call("02150001111", "12349120")
        await elder.answered(within=12)
        await asyncio.sleep(1)
        await system.start("engine")
        await system.until(system.incidents, 8, "an incident")
        await asyncio.sleep(3)
        assert home.calls == [], "he is on the line"
        await elder.hang_up()
        again = await home.called(within=8)
        await again.hears(prompt("elder/line_lost"))
        await again.hang_up()


async def test_who_was_gone_before_the_engine_came_back_is_called_at_once_and_not_at_the_next_audit(
    place: MakePlace,
) -> None:
    async with place([WANG], IVR_DUTY_PHONE="") as (system, town):
        home = town.family("02150001111", NoAnswer())
        await system.kill("engine")
        elder = await town.call("02150001111", "12349120")
        await elder.answered(within=12)
        await asyncio.sleep(1)
        await elder.hang_up()
        await system.start("engine")
        began = asyncio.get_running_loop().time()
        rung = await home.called(within=20)
        print(f"engine back to INVITE {rung.invited_at - began:.1f} s")
        assert rung.invited_at - began < 9.5
