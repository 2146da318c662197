"""A machine asks after an alarm in a storm, and elders answer by voice: only a clear word said twice makes one safe."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.calls.harness import Answers, Leg, NoAnswer, Town
from tests.calls.place import MakePlace
from tests.calls.spoken import babbles, bursts, clip, says
from tests.calls.system import Person, System, prompt
from tests.calls.test_storm import listed

QUESTION, CONFIRM = prompt("triage/question_say"), prompt("triage/confirm")
QUESTION_S = 3.0
STORM = {"IVR_TRUNK_PORTS": "20", "IVR_DUTY_PHONE": "", "IVR_FAMILY_RING_S": "5"}


def elder(number: int) -> Person:
    return Person(f"E{number}", f"老人{number}", f"0215000{number:04d}", [f"138{number:08d}"])


@pytest.fixture(autouse=True)
def short_questions(tmp_path: Path) -> None:
    """The centre's own recordings are short ones: silence is then a matter of seconds. Words that nobody understands
    end no question before its end."""
    own = tmp_path / "y" / "prompts" / "triage"
    own.mkdir(parents=True)
    for question in (QUESTION, CONFIRM):
        (own / question.name).write_bytes(question.read_bytes()[: round(QUESTION_S * 8000)])


async def asked(system: System, town: Town, person: Person) -> Leg:
    """An alarm in the storm; the elder picks up and hears the whole question."""
    home = town.family(person.phone, Answers(after_s=0.3))
    town.family(person.contacts[0], NoAnswer())
    body = {"source": "pendant", "kind": "press", "elder_no": person.elder_no}
    await system.api("POST", "/alarms", body, status=201)
    call = await home.called(15)
    await call.hears(QUESTION, within=12, first_s=QUESTION_S - 0.2)
    return call


async def triage_of(system: System, person: Person) -> str:
    (found,) = [item["triage"] for item in await listed(system) if item["elder"]["elder_no"] == person.elder_no]
    return str(found)


async def in_a_storm(system: System) -> None:
    await system.api("POST", "/storm", {"mode": "on", "by": "周强"}, status=200)


async def test_who_says_twice_that_he_is_well_is_safe_and_nobody_is_dialled(place: MakePlace) -> None:
    person = elder(1)
    async with place([person], speech=True, **STORM) as (system, town):
        await in_a_storm(system)
        call = await asked(system, town, person)
        once = await says(call, clip("well"))
        await call.hears(CONFIRM, within=6, first_s=1.5, since=once)
        assert await triage_of(system, person) == "calling", "one word that sounds like it makes nobody safe"
        twice = await says(call, clip("well_man"))
        await call.hears(prompt("triage/safe"), within=6, first_s=1.5, since=twice)
        await call.ended(12)
        assert await triage_of(system, person) == "safe"
        assert person.contacts[0] not in {invite.number for invite in town.exchange.invites()}


async def test_a_cry_is_help_at_once(place: MakePlace) -> None:
    person = elder(1)
    async with place([person], speech=True, **STORM) as (system, town):
        await in_a_storm(system)
        call = await asked(system, town, person)
        cried = await says(call, clip("first_aid"))
        await call.hears(prompt("emergency/help_is_coming"), within=6, first_s=1.5, since=cried)
        assert await triage_of(system, person) == "help"
        await town.family(person.contacts[0], NoAnswer()).called(10)
        await system.in_room(1)
        await call.hang_up()


async def test_two_failures_over_both_questions_are_need_and_no_fourth_question(place: MakePlace) -> None:
    person = elder(1)
    async with place([person], speech=True, **STORM) as (system, town):
        await in_a_storm(system)
        call = await asked(system, town, person)
        first = await babbles(call)
        await call.hears(QUESTION, within=8, first_s=QUESTION_S - 0.2, since=first)
        once = await says(call, clip("well"))
        await call.hears(CONFIRM, within=8, first_s=QUESTION_S - 0.2, since=once)
        second = await babbles(call)
        await call.hears(prompt("emergency/help_is_coming"), within=5, first_s=1.5, since=second)
        assert await triage_of(system, person) == "help"
        await call.hang_up()


async def test_silence_and_crying_are_need(place: MakePlace) -> None:
    silent, crying = elder(1), elder(2)
    async with place([silent, crying], speech=True, **STORM) as (system, town):
        await in_a_storm(system)
        quiet, cries = await asyncio.gather(asked(system, town, silent), asked(system, town, crying))
        cries.say(bursts(25))
        for call in (quiet, cries):
            await call.hears(prompt("emergency/help_is_coming"), within=30, first_s=1.5)
        assert await triage_of(system, silent) == "silent"
        assert await triage_of(system, crying) in ("help", "silent")
        for call in (quiet, cries):
            await call.hang_up()
