"""A caller who waits in the queue is heard: what he wants is noted, and who cries for help is moved into a room.

Every place asserts at its end that no channel is left behind, the ears' included.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from ivr.settings import PROJECT_ROOT
from ivr.speech.second_ear import weights
from ivr.speech.second_keeper import missing, weights_folder
from tests.calls.harness import Answers, NoAnswer, Town
from tests.calls.place import MakePlace
from tests.calls.spoken import clip, noise, says
from tests.calls.system import DUTY, Person, System, prompt
from tests.calls.test_failures import locked
from tests.calls.test_ordinary_call import HELLO, only_call
from tests.doubles.scripted_second_ear import SPEECH_WITH_IT, script

WANG = Person("E1", "王秀英", "02150001111", ["13800000001"])
CALLER = "02150001111"


def ears(system: System) -> int:
    return sum(worker["streams"] for worker in system.speech().get("workers", {}).values())


async def channels(system: System) -> list[str]:
    return (await system.cli("core show channels concise") or "").splitlines()


async def busy(town: Town, system: System) -> None:
    """A seat that is ready and never picks up: the queue has somebody to wait for."""
    await town.agent("1001", system.agents["1001"], NoAnswer())
    await system.ready("1001")


async def waiting(system: System, heard: int = 1) -> dict[str, Any]:
    """The only caller in the queue, once so many ears listen."""

    async def look() -> dict[str, Any] | None:
        found = (await system.api("GET", "/queue", status=200))["waiting"]
        return found[0] if len(found) == 1 and ears(system) == heard else None

    return dict(await system.until(look, 10, f"a waiting caller, heard by {heard}"))


async def open_ticket(system: System) -> dict[str, Any]:
    (ticket,) = (await system.api("GET", "/tickets", status=200))["items"]
    return dict(ticket)


async def test_who_cries_for_help_while_waiting_is_an_incident_and_in_a_room(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        await busy(town, system)
        daughter = town.family("13800000001", Answers(after_s=0.5, presses="1", presses_after_s=2))
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        cried = await says(elder, clip("fall"))
        match = await elder.hears(prompt("speech/help_is_coming"), within=6, since=cried)
        (incident,) = await system.incidents()
        assert incident["alarms"][0]["source"] == "listening"
        assert incident["elder"]["elder_no"] == "E1"
        await daughter.called()
        await system.in_room(2)
        print(
            f"end of the cry to the first family INVITE {daughter.calls[0].invited_at - cried:.2f} s, "
            f"to our voice {elder.heard.began_at + match.at_s - cried:.2f} s"
        )
        assert daughter.calls[0].invited_at - cried < 2
        assert (await system.api("GET", "/queue", status=200))["waiting"] == []
        listed = (await system.api("GET", f"/calls?number={CALLER}", status=200))["items"]
        call = await system.api("GET", f"/calls/{listed[0]['id']}", status=200)
        assert call["incident_id"] == incident["id"]
        assert [heard["meaning"] for heard in call["heard"]] == ["distress.fall"]
        assert "摔" not in str(call), "ids, never what was said"
        await system.until(lambda: ears(system) == 0, 3, "no ear: they are with people")
        await elder.hang_up()
        assert (await only_call(system, CALLER))["outcome"] == "emergency"


async def test_a_cry_while_the_database_is_locked_goes_to_the_lifeline_and_is_an_incident_later(
    place: MakePlace,
) -> None:
    async with place([WANG], speech=True) as (system, town):
        await busy(town, system)
        duty = town.duty(DUTY, Answers(after_s=0.5))
        daughter = town.family("13800000001", NoAnswer())
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        with locked(system.folder / "yinling.db"):
            cried = await says(elder, clip("fall"))
            match = await elder.hears(prompt("lifeline/connecting"), within=8, first_s=1.5, since=cried)
            print(f"end of the cry to the lifeline's voice {elder.heard.began_at + match.at_s - cried:.2f} s")
            rung = await duty.called(within=8)
            await rung.answered()
            elder.say(HELLO)
            await rung.hears(HELLO, first_s=1.5)
            assert list(system.settings.spool_dir.glob("*.json")), "on a file, for later"
        (incident,) = await system.until(system.incidents, 10, "what he cried is an incident")
        assert incident["elder"]["elder_no"] == "E1"
        assert [alarm["source"] for alarm in incident["alarms"]] == ["lifeline"]
        await daughter.called(10)
        assert (await system.api("GET", "/queue", status=200))["waiting"] == []
        await elder.hang_up()
        call = await only_call(system, CALLER)
        assert (call["outcome"], call["incident_id"]) == ("emergency", incident["id"])


async def test_what_is_asked_for_fills_the_ticket_and_the_call_waits_on(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        await elder.hears(prompt("speech/tell_us"), within=8)
        asked = await says(elder, clip("cleaning_man"))

        async def filled() -> bool:
            return (await open_ticket(system))["category"] == "service.cleaning"

        await system.until(filled, 5, "the category")
        await elder.hears(prompt("speech/noted"), within=6, since=asked)
        assert (await waiting(system))["position"] == 1
        assert await system.incidents() == []
        spoken = await says(elder, clip("breath"))  # it goes on listening
        await elder.hears(prompt("speech/help_is_coming"), within=6, since=spoken)
        assert (await open_ticket(system))["category"] == "service.cleaning"


async def test_the_ear_goes_when_the_call_is_answered(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=4))
        await system.ready("1001")
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        assert len(await channels(system)) >= 3
        rung = await agent.called()
        await rung.answered()
        await system.until(lambda: ears(system) == 0, 3, "no ear")

        async def two() -> bool:
            return len(await channels(system)) == 2

        await system.until(two, 8, "caller and seat, and nobody else")
        await says(elder, clip("fall"))
        await asyncio.sleep(1.5)
        assert await system.incidents() == [], "a person hears him now"
        assert rung.talking
        await elder.hang_up()
        assert (await only_call(system, CALLER))["outcome"] == "talked"


async def test_the_ear_goes_with_a_caller_who_hangs_up(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        await elder.hang_up()
        await system.until(lambda: ears(system) == 0, 4, "no ear")
        assert (await only_call(system, CALLER))["outcome"] == "abandoned"


async def test_no_ear_when_only_the_slots_of_emergencies_are_free(place: MakePlace) -> None:
    few = {"IVR_SPEECH_SLOTS": "2", "IVR_SPEECH_SLOTS_FOR_EMERGENCIES": "1"}
    async with place([WANG], speech=True, **few) as (system, town):
        await busy(town, system)
        first = await town.call(CALLER, "12349")
        await waiting(system)
        second = await town.call("02150002222", "12349")

        async def two() -> bool:
            return len((await system.api("GET", "/queue", status=200))["waiting"]) == 2

        await system.until(two, 8, "two who wait")
        await asyncio.sleep(1)
        assert ears(system) == 1
        assert sum("ChanSpy" in line for line in await channels(system)) == 1
        assert system.speech()["free_urgent"] == 1
        await second.hang_up()
        await first.hang_up()


async def test_a_recogniser_that_dies_while_somebody_waits_is_nothing_to_him(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=6))
        await system.ready("1001")
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        os.kill(system.speech_worker(), signal.SIGKILL)
        elder.say(noise(2))
        rung = await agent.called()
        await rung.answered()
        await elder.hang_up()
        assert (await only_call(system, CALLER))["outcome"] == "talked"


async def test_after_a_restart_of_the_engine_who_waits_is_heard_again(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        await system.kill("engine")
        await system.until(lambda: ears(system) == 0, 12, "the ear went with the engine")
        await system.start("engine")
        await waiting(system)
        cried = await says(elder, clip("chest"))
        await elder.hears(prompt("speech/help_is_coming"), within=6, since=cried)


async def test_listening_can_be_switched_off(place: MakePlace) -> None:
    async with place([WANG], speech=True, IVR_LISTEN_WHILE_WAITING="false") as (system, town):
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system, heard=0)
        await asyncio.sleep(1)
        assert ears(system) == 0
        await elder.hang_up()


# ---- the second ear

JOINED = PROJECT_ROOT / "build" / "second-ear"
"""Its weights, joined once for all runs of the test that needs them."""


async def second_ear(system: System, *, script_says: str = "") -> None:
    """`ivr speech` with Whisper, or with a scripted one that hears `script_says` in whatever is said."""
    if script_says:
        script(system.settings.data_dir, script_says)
    await system.start("speech", SPEECH_WITH_IT if script_says else ())
    await system.until(lambda: system.speech()["second_ear"]["state"] == "ready", 60, "the second ear")


async def test_distress_inside_a_sentence_is_heard_by_the_second_ear(place: MakePlace) -> None:
    """The sentence is nothing to the recogniser: all of it is unknown speech."""
    async with place([WANG], IVR_SPEECH_SECOND_EAR="true") as (system, town):
        await second_ear(system, script_says="我妈从床上掉下来了说不出话")
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        spoken = await says(elder, clip("smalltalk"))
        match = await elder.hears(prompt("speech/help_is_coming"), within=8, since=spoken)
        print(f"end of the sentence to our voice {elder.heard.began_at + match.at_s - spoken:.2f} s")
        (incident,) = await system.incidents()
        assert incident["alarms"][0]["source"] == "listening"
        await elder.hang_up()


async def test_a_second_ear_that_is_killed_leaves_the_recogniser_beside_it(place: MakePlace) -> None:
    async with place([WANG], IVR_SPEECH_SECOND_EAR="true") as (system, town):
        await second_ear(system, script_says="今天天气真好")
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        os.kill(system.speech()["second_ear"]["pid"], signal.SIGKILL)
        cried = await says(elder, clip("fall"))
        await elder.hears(prompt("speech/help_is_coming"), within=6, since=cried)
        await elder.hang_up()


async def test_whisper_hears_distress_inside_a_spoken_sentence(place: MakePlace) -> None:
    if why := missing(JOINED):
        pytest.skip(f"the extra second-ear is not installed: {why}")
    async with place([WANG], IVR_SPEECH_SECOND_EAR="true") as (system, town):
        folder = weights_folder(system.settings)
        folder.parent.mkdir(parents=True)
        folder.symlink_to(await asyncio.to_thread(weights, JOINED))
        await second_ear(system)
        await busy(town, system)
        elder = await town.call(CALLER, "12349")
        await waiting(system)
        spoken = await says(elder, clip("fallen_bed"))
        match = await elder.hears(prompt("speech/help_is_coming"), within=15, since=spoken)
        print(f"end of the sentence to our voice {elder.heard.began_at + match.at_s - spoken:.2f} s")
        await elder.hang_up()
