"""A seat's telephone dies in the room: the elder is not left in silence, and somebody else is rung."""

from __future__ import annotations

import asyncio

from tests.calls.harness import Answers, NoAnswer
from tests.calls.place import MakePlace
from tests.calls.system import DUTY, Person, prompt
from tests.calls.test_break_in import CALM, CRY, ORDINARY, PEOPLE, talking

WANG = Person("E1", "王秀英", "02150001111")
VOICE_AGAIN_S = 12.0
"""Asked every 5 s whether it is there, 2 s for the answer, 3 s in which nothing comes: 6 to 10 s, and some slack."""
RUNG_S = VOICE_AGAIN_S + 6.0
"""And 5 s in which those who leave together may leave."""


async def test_a_telephone_that_dies_leaves_the_elder_to_a_voice_and_to_the_next_seat(place: MakePlace) -> None:
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.3))
        await system.ready("1001")
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.in_room(2)
        elder.say(CRY)
        await seat.hears(CRY)
        other = await town.agent("1002", system.agents["1002"], NoAnswer())
        await system.ready("1002")
        died = asyncio.get_running_loop().time()
        await agent.dies()
        rung = (await other.called(within=RUNG_S)).invited_at
        await elder.hears(prompt("room/please_wait"), within=20, first_s=1.5, since=died)
        silence = next(gap for gap in elder.heard.silence_gaps(1.0) if gap.end > died)
        print(f"our voice after {silence.end - died:.1f} s, the next seat after {rung - died:.1f} s")
        assert silence.end - died < VOICE_AGAIN_S
        assert rung - died < RUNG_S
        await system.leg("agent", "1001", "ended/talked")
        await elder.hang_up()


async def test_a_registration_that_is_gone_ends_no_call_whose_voice_goes_on(place: MakePlace) -> None:
    """A browser that lost its connection and comes back: it speaks all the while."""
    async with place([WANG]) as (system, town):
        agent = await town.agent("1001", system.agents["1001"], Answers(after_s=0.3))
        other = await town.agent("1002", system.agents["1002"], NoAnswer())
        await system.ready("1001")
        elder = await town.call("02150001111", "12349120")
        seat = await agent.called()
        await system.in_room(2)
        await system.ready("1002")
        await agent.unregister()
        await asyncio.sleep(8)
        await system.leg("agent", "1001", "accepted")
        await agent.register()
        await asyncio.sleep(4)
        seat.say(CALM)
        await elder.hears(CALM)
        assert seat.talking
        assert other.calls == []
        await elder.hang_up()
        await seat.hang_up()


async def test_a_telephone_that_is_dead_is_not_taken_from_its_ordinary_call(place: MakePlace) -> None:
    async with place(PEOPLE, IVR_BREAK_IN_S="1") as (system, town):
        duty = town.duty(DUTY, NoAnswer())
        agent, _, caller = await talking(system, town, "1001", ORDINARY)
        await agent.dies()
        await asyncio.sleep(8)  # asked every 5 s, 2 s for the answer
        assert caller.talking, "Asterisk waits 30 s for a voice"
        elder = await town.call(WANG.phone, "12349120")
        await duty.called(within=5)
        (incident,) = await system.incidents()
        assert [leg for leg in incident["legs"] if leg["role"] == "agent"] == []
        await elder.hang_up()
        await caller.hang_up()
