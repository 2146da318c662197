"""A relative answers by voice: through Asterisk, the speech workers and the engine. Judged from outside."""

from __future__ import annotations

import asyncio

from tests.calls.harness import Answers
from tests.calls.place import MakePlace
from tests.calls.spoken import clip, says
from tests.calls.system import Person, prompt

LI = Person("E1", "李桂英", "02150001111", ["13800000001"], "D1", "02150001111")


async def alarm(system) -> None:  # type: ignore[no-untyped-def]
    await system.api("POST", "/alarms", {"source": "test", "kind": "fall", "elder_no": "E1"}, status=201)


async def test_a_relative_who_says_that_she_comes_is_in_the_room(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        phone = town.family("13800000001", Answers(after_s=0.3))
        await alarm(system)
        call = await phone.called()
        match = await call.hears(prompt("family/alarm"), first_s=1.5)
        ended = await says(call, clip("accept"))
        await call.hears(prompt("family/connecting"), within=5, since=ended)
        await system.leg("family", "13800000001", "accepted")
        prompt_s = len(prompt("family/alarm").read_bytes()) / 8000
        print("prompt", prompt_s, match, "said until", ended - call.heard.began_at)
        await asyncio.sleep(1)
