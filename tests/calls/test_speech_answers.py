"""A relative or the duty phone answers by voice or key: through Asterisk, the speech workers and the engine.

Judged from outside: the API, and what the telephones heard.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.calls.harness import Answers, Leg, Town, Voicemail, find_prompt
from tests.calls.harness.behaviours import Behaviour
from tests.calls.place import MakePlace
from tests.calls.spoken import bursts, clip, noise, says, together, with_its_noise
from tests.calls.system import PROMPTS, Person, System, prompt

SON, DAUGHTER, NEPHEW, NIECE = "13800000001", "13800000002", "13800000003", "13800000004"
LI = Person("E1", "李桂英", "02150001111", [SON])
ALARM = prompt("family/alarm_say")
SHORT_S = 2.2


def short_question(folder: Path) -> bytes:
    """The centre's own recording of the question is a short one: silence is then a matter of seconds."""
    own = folder / "y" / "prompts" / "family"
    own.mkdir(parents=True)
    audio = ALARM.read_bytes()[: round(SHORT_S * 8000)]
    (own / "alarm_say.alaw").write_bytes(audio)
    return audio


async def alarm(system: System) -> None:
    await system.api("POST", "/alarms", {"source": "test", "kind": "fall", "elder_no": "E1"}, status=201)


async def family(system: System, phone: str) -> dict[str, Any]:
    """The relative's leg of the only incident."""
    (incident,) = await system.incidents()
    return next(leg for leg in incident["legs"] if leg["phone"] == phone)


async def asked(system: System, town: Town) -> Leg:
    """An alarm, and the son has picked up and hears the question."""
    phone = town.family(SON, Answers(after_s=0.3))
    await alarm(system)
    call = await phone.called()
    await call.hears(ALARM, first_s=1.5)
    return call


def heard_at(leg: Leg, match: Any) -> float:
    return float(leg.heard.began_at + match.at_s)


async def test_saying_that_one_comes_ends_the_question_and_opens_the_room(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        said = await says(call, clip("accept"))
        thanks = heard_at(call, await call.hears(prompt("room/recorded"), within=5, first_s=1.0, since=said))
        await system.leg("family", SON, "accepted")
        await system.in_room(1)
        await system.until(lambda: [*system.folder.rglob("room-*.wav")], 8, "the room that she opens is recorded")
        print(f"end of speech to the next prompt: {thanks - said:.2f} s")
        assert thanks - said < 1.5, "the question takes 14 s: she did not wait for its end"
        rest = find_prompt(call.heard.pcm(), ALARM.read_bytes()[5 * 8000 :], first_s=2.5)
        assert not rest.found, "and it has stopped"
        assert await system.until(lambda: system.speech()["free_urgent"] == 8, 3, "the slot given back")


@pytest.mark.parametrize("line", ["its noise comes and goes with the voice", "nothing is sent between the words"])
async def test_an_answer_counts_on_a_line_that_is_dead_between_the_words(place: MakePlace, line: str) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        if line.startswith("nothing"):
            call.idle(None)
        await asyncio.sleep(1)
        call.say(with_its_noise(clip("accept")))
        await call.hears(prompt("room/recorded"), within=6, first_s=1.0)
        await system.leg("family", SON, "accepted")


async def test_saying_that_one_cannot_is_a_no(place: MakePlace) -> None:
    async with place([LI], speech=True, IVR_FAMILY_ROUNDS="1") as (system, town):
        call = await asked(system, town)
        said = await says(call, clip("decline_man"))
        await call.hears(prompt("family/declined"), within=5, since=said)
        await system.leg("family", SON, "ended/declined")


async def test_the_duty_phone_takes_it_by_voice(place: MakePlace) -> None:
    async with place([Person("E1", "李桂英", "02150001111")], speech=True) as (system, town):
        duty = town.duty(system.settings.duty_phone, Answers(after_s=0.3))
        await alarm(system)
        call = await duty.called(15)
        await call.hears(prompt("duty/emergency"), first_s=1.5)
        said = await says(call, clip("accept_man"))
        await call.hears(prompt("duty/connecting"), within=5, since=said)
        await system.leg("supervisor", system.settings.duty_phone, "accepted")


async def test_a_key_in_mid_word_counts(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        call.say(clip("decline"))
        await asyncio.sleep(0.5)
        call.press("1")
        await call.hears(prompt("room/recorded"), within=5)
        await system.leg("family", SON, "accepted")


async def test_another_key_than_those_asked_for_neither_ends_nor_repeats_the_question(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        call.press("7")
        tail = ALARM.read_bytes()[6 * 8000 : 9 * 8000]
        match = await call.hears(tail, within=12, first_s=2.5)
        began = heard_at(call, await call.hears(ALARM, within=1, first_s=1.5))
        assert abs(heard_at(call, match) - began - 6) < 1, "it went on where it was"
        said = await says(call, clip("accept"))
        await call.hears(prompt("room/recorded"), within=5, since=said)


async def test_a_cry_for_help_goes_to_the_people_in_the_room_and_is_no_acceptance(place: MakePlace) -> None:
    async with place([LI], speech=True) as (system, town):
        call = await asked(system, town)
        await says(call, clip("chest"))
        await system.in_room(1)
        assert (await family(system, SON))["state"] == "answered"


async def test_silence_noise_music_and_crying_accept_nothing(place: MakePlace, tmp_path: Path) -> None:
    music = (PROMPTS.parent / "moh" / "queue.alaw").read_bytes()[: 8000 * 20]
    says_what: dict[str, Behaviour] = {
        SON: Answers(after_s=0.3),
        DAUGHTER: Answers(after_s=0.3, says=noise(20)),
        NEPHEW: Answers(after_s=0.3, says=music),
        NIECE: Answers(after_s=0.3, says=bursts(20)),
    }
    short_question(tmp_path)
    person = Person("E1", "李桂英", "02150001111", list(says_what))
    async with place([person], speech=True, IVR_FAMILY_PARALLEL="4", IVR_FAMILY_ROUNDS="1") as (system, town):
        phones = {number: town.family(number, behaviour) for number, behaviour in says_what.items()}
        await alarm(system)
        for number, phone in phones.items():
            call = await phone.called()
            await system.leg("family", number, "ended/not_confirmed", within=30)
            assert call.ended_by == "asterisk"
            assert (await family(system, number))["accepted_at"] is None
        told = phones[SON].calls[0]
        await told.hears(prompt("family/not_confirmed"), within=1)


async def test_two_at_once_and_an_answering_machine_accept_nothing(place: MakePlace, tmp_path: Path) -> None:
    both = together("accept", "decline_man")
    short_question(tmp_path)
    person = Person("E1", "李桂英", "02150001111", [SON, DAUGHTER, NEPHEW])
    async with place([person], speech=True, IVR_FAMILY_PARALLEL="3", IVR_FAMILY_ROUNDS="1") as (system, town):
        phones = [
            town.family(SON, Answers(after_s=0.3, says=both, says_after_s=3)),
            town.family(DAUGHTER, Voicemail(clip("voicemail"), after_s=0.3)),
            town.family(NEPHEW, Answers(after_s=0.3, says=clip("smalltalk") + clip("smalltalk"), says_after_s=1)),
        ]
        await alarm(system)
        for phone in phones:
            await phone.called()
            leg = await system.leg("family", phone.number, "ended", within=35)
            assert leg["accepted_at"] is None
            assert leg["outcome"] == "not_confirmed", (phone.number, leg["outcome"])
