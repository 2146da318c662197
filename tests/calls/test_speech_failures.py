"""Speech that fails stands in nobody's way: keys go on, no channel is held, and it comes back by itself."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack

from tests.calls.harness import Answers
from tests.calls.place import MakePlace
from tests.calls.spoken import clip, says
from tests.calls.system import Person, prompt
from tests.calls.test_speech_answers import ALARM, SON, alarm, asked
from tests.doubles.aeap_side import AeapSide

LI = Person("E1", "李桂英", "02150001111", [SON])


async def test_a_worker_killed_in_mid_utterance_leaves_the_keys_and_comes_back(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        call.say(clip("accept"))
        await asyncio.sleep(0.5)
        before = system.speech_worker()
        os.kill(before, signal.SIGKILL)
        await call.said()
        await asyncio.sleep(1)
        assert call.talking
        call.press("1")
        await call.hears(prompt("room/recorded"), within=5)
        await system.leg("family", SON, "accepted")
        await system.until(lambda: system.speech().get("free_urgent"), 20, "a new worker")
        assert system.speech_worker() != before


async def test_a_stopped_worker_holds_no_channel_and_is_replaced(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        before = system.speech_worker()
        os.kill(before, signal.SIGSTOP)
        call.say(clip("accept"))
        await asyncio.sleep(0.3)
        pressed = time.monotonic()
        call.press("1")
        match = await call.hears(prompt("room/recorded"), within=8, first_s=1.0, since=pressed)
        waited = call.heard.began_at + match.at_s - pressed
        print(f"key to the next prompt beside a stopped worker: {waited:.2f} s")
        assert waited < system.settings.agi_lease_s
        await system.leg("family", SON, "accepted")
        await system.until(lambda: system.speech().get("free_urgent"), 20, "a new worker")
        assert system.speech_worker() != before


async def test_a_call_that_comes_while_the_only_worker_is_stopped_is_asked_by_keys(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        phone = town.family(SON, Answers(after_s=0.3))
        os.kill(system.speech_worker(), signal.SIGSTOP)
        await alarm(system)
        call = await phone.called()
        answered = await call.answered()
        match = await call.hears(ALARM, within=8, first_s=1.5)
        waited = call.heard.began_at + match.at_s - answered
        print(f"answer to question with a worker stopped just before: {waited:.2f} s")
        assert waited < system.settings.agi_lease_s
        call.press("1")
        await call.hears(prompt("room/recorded"), within=8)


async def test_a_stopped_pool_is_not_asked_at_all(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        phone = town.family(SON, Answers(after_s=0.3))
        system.freeze("speech")
        await system.until(lambda: not system.speech(), 5, "the status is stale")
        await alarm(system)
        call = await phone.called()
        answered = await call.answered()
        match = await call.hears(ALARM, within=8, first_s=1.5)
        assert call.heard.began_at + match.at_s - answered < 1, "nobody waited for it"
        call.press("1")
        await call.hears(prompt("room/recorded"), within=5)
        system.thaw("speech")
        await system.until(lambda: system.speech().get("free_urgent") == 8, 10, "it serves again")


async def test_when_all_slots_are_taken_the_keys_count_and_the_voice_waits(place: MakePlace) -> None:
    async with (
        place([LI], speech=True, IVR_SPEECH_SLOTS="3", IVR_SPEECH_SLOTS_FOR_EMERGENCIES="1") as (system, town),
        AsyncExitStack() as others,
    ):
        port = system.settings.speech_port
        ordinary = [await others.enter_async_context(AeapSide(port)) for _ in range(3)]
        answers = [await one.set_up() for one in ordinary]
        assert ["error_msg" in answer for answer in answers] == [False, False, True]
        urgent = await others.enter_async_context(AeapSide(port, "/urgent"))
        assert "error_msg" not in await urgent.set_up()
        await system.until(lambda: system.speech().get("free_urgent") == 0, 3, "full")
        call = await asked(system, town)
        said = await says(call, clip("accept"))
        await asyncio.sleep(1.5)
        assert call.heard.level_dbfs(said + 0.5, said + 1.5) > -40, "the question plays on"
        call.press("1")
        await call.hears(prompt("room/recorded"), within=5, since=said)
        await system.leg("family", SON, "accepted")


async def test_health_tells_of_speech(place: MakePlace) -> None:
    async with place(speech=True) as (system, _town):
        health = await system.api("GET", "/health", status=200)
        assert health["parts"]["speech"]["state"] == "ok"
        await system.kill("speech")

        async def told() -> bool:
            return (await system.api("GET", "/health"))["parts"]["speech"]["state"] != "ok"

        await system.until(told, 8, "speech is away")
