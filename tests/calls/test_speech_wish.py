"""A caller whom nobody takes is asked by voice what he needs, and whether he may be called back; then a person.

No seat is ready, so the queue gives the call back as soon as the greeting is over.
"""

from __future__ import annotations

import asyncio
import os
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.calls.harness import Answers, Elder, Town
from tests.calls.place import MakePlace
from tests.calls.spoken import clip, noise, says
from tests.calls.system import DUTY, Person, System, prompt
from tests.calls.test_emergency_call import CRY
from tests.calls.test_failures import locked
from tests.calls.test_ordinary_call import HELLO, only_call, ticket_of
from tests.calls.test_recorded_room import holds, ivr, journalled
from tests.calls.test_speech_listening import ears, open_ticket

DAUGHTER = "13800000001"
CALLER = "02150001111"
WANG = Person("E1", "王秀英", CALLER, [DAUGHTER])
QUESTION_S = 4.0


@pytest.fixture(autouse=True)
def short_question(tmp_path: Path) -> None:
    """The centre's own recording of the question is a short one: the whole of ours takes 14 s of each test."""
    own = tmp_path / "y" / "prompts" / "wish"
    own.mkdir(parents=True)
    (own / "what.alaw").write_bytes(prompt("wish/what").read_bytes()[: round(QUESTION_S * 8000)])


async def asked(town: Town) -> Elder:
    elder = await town.call(CALLER, "12349")
    await elder.hears(prompt("wish/what"), within=15, first_s=2.0)
    return elder


async def after_the_question(elder: Elder) -> None:
    """Who is polite begins to speak when we have ended."""
    await elder.hears(prompt("wish/what"), within=6, first_s=QUESTION_S - 0.2)
    await asyncio.sleep(0.4)


async def with_the_duty_phone(system: System, town: Town, elder: Elder) -> dict[str, Any]:
    """The duty phone rings, and who answers there and the caller hear each other. Returns the ended call."""
    duty = town.duty(DUTY, Answers(after_s=0.5, says=HELLO, says_after_s=0.5))
    await elder.hears(prompt("speech/to_a_person"), within=20, first_s=1.5)
    await (await duty.called(10)).answered()
    await elder.hears(HELLO, within=8)
    await elder.hang_up()
    return await only_call(system, CALLER)


async def test_a_wish_and_a_yes_are_on_the_ticket_and_he_is_called_back(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        duty = town.duty(DUTY)
        elder = await asked(town)
        await after_the_question(elder)
        wished = await says(elder, clip("cleaning_man"))
        await elder.hears(prompt("wish/call_back"), within=6, first_s=1.5, since=wished)
        assert (await open_ticket(system))["category"] == "service.cleaning"
        agreed = await says(elder, clip("yes"))
        await elder.hears(prompt("queue/call_back_promise"), within=6, since=agreed)
        await elder.ended(15)
        call = await only_call(system, CALLER)
        assert call["outcome"] == "call_back_promised"
        assert (await ticket_of(system, call))["call_back"]
        assert [heard["meaning"] for heard in call["heard"]] == ["service.cleaning"]
        assert duty.calls == [], "he was asked, and wants to be called back"
        assert await system.incidents() == []
        await system.until(lambda: ears(system) == 0, 3, "the slot given back")


async def test_a_wish_and_a_no_ring_the_duty_phone(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        wished = await says(elder, clip("cleaning_man"))  # into our question
        await elder.hears(prompt("wish/call_back"), within=6, first_s=1.5, since=wished)
        await says(elder, clip("no"))
        call = await with_the_duty_phone(system, town, elder)
        assert call["outcome"] == "talked"
        ticket = await ticket_of(system, call)
        assert (ticket["category"], ticket["call_back"]) == ("service.cleaning", False)


async def test_a_yes_by_key_does_as_well(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        wished = await says(elder, clip("cleaning_man"))
        await elder.hears(prompt("wish/call_back"), within=6, first_s=1.5, since=wished)
        elder.press("1")
        await elder.hears(prompt("queue/call_back_promise"), within=6, since=wished)
        await elder.hang_up()
        assert (await only_call(system, CALLER))["outcome"] == "call_back_promised"


async def test_who_is_not_understood_twice_has_a_person(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        await after_the_question(elder)
        spoken = await says(elder, clip("smalltalk"))
        await elder.hears(prompt("speech/say_again"), within=6, since=spoken)
        await asyncio.sleep(2.5)
        await says(elder, clip("smalltalk"))
        call = await with_the_duty_phone(system, town, elder)
        assert (await ticket_of(system, call))["category"] is None


async def test_who_says_nothing_has_a_person(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        elder.say(noise(1, -55))
        await with_the_duty_phone(system, town, elder)


async def test_a_digit_in_mid_word_brings_a_person(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        elder.say(clip("smalltalk"))
        await asyncio.sleep(0.5)
        elder.press("1")
        await with_the_duty_phone(system, town, elder)


async def test_distress_in_the_answer_is_an_incident_and_a_room(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        daughter = town.family(DAUGHTER, Answers(after_s=0.5, presses="1", presses_after_s=2))
        elder = await asked(town)
        cried = await says(elder, clip("fall"))
        await elder.hears(prompt("speech/help_is_coming"), within=6, since=cried)
        (incident,) = await system.incidents()
        assert incident["elder"]["elder_no"] == "E1"
        await daughter.called()
        print(f"end of the cry to the first family INVITE {daughter.calls[0].invited_at - cried:.2f} s")
        await system.in_room(2)
        listed = (await system.api("GET", f"/calls?number={CALLER}", status=200))["items"]
        call = await system.api("GET", f"/calls/{listed[0]['id']}", status=200)
        assert call["incident_id"] == incident["id"]
        assert [heard["meaning"] for heard in call["heard"]] == ["distress.fall"]
        await system.leg("elder", CALLER, "accepted")
        await elder.hang_up()


async def test_the_room_that_he_opens_is_recorded_and_on_record(place: MakePlace, tmp_path: Path) -> None:
    """He was asked by voice: what Asterisk denies the thread that did so must not keep the room from being recorded."""
    async with place([WANG], speech=True) as (system, town):
        daughter = town.family(DAUGHTER, Answers(after_s=0.5, presses="1", presses_after_s=8))
        elder = await asked(town)
        await says(elder, clip("fall"))
        await system.in_room(1)  # he opens it, not she
        await system.in_room(2, within=20)
        call = await daughter.called()
        elder.say(CRY)
        await call.hears(CRY, first_s=1.5)
        await elder.said()
        await elder.hang_up()
        await call.hang_up()
        ended = await journalled(system, "recording.ended", 3)
        (incident,) = await system.incidents()
        rooms = [one["file"] for one in ended if "/room-" in one["file"]]
        assert [file.partition("/")[0] for file in rooms] == [incident["id"]]
        assert holds(system.settings.recordings_dir / rooms[0], CRY)
        await system.close_all()
        code, out = await ivr(system, "audit", "verify")
        assert code == 0, out
        assert "3 recordings" in out
        code, out = await ivr(system, "audit", "export", incident["id"], "--to", str(tmp_path / "r.zip"))
        assert code == 0, out
        with zipfile.ZipFile(tmp_path / "r.zip") as archive:
            assert any(Path(name).name.startswith("room-") for name in archive.namelist())


async def test_a_cry_while_the_database_is_locked_is_an_incident_later(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5))
        elder = await asked(town)
        with locked(system.folder / "yinling.db"):
            cried = await says(elder, clip("fall"))
            await elder.hears(prompt("lifeline/connecting"), within=8, first_s=1.5, since=cried)
            await (await duty.called(within=8)).answered()
            await asyncio.sleep(1)
        (incident,) = await system.until(system.incidents, 10, "what he cried is an incident")
        assert [alarm["source"] for alarm in incident["alarms"]] == ["lifeline"]
        await elder.hang_up()
        assert (await only_call(system, CALLER))["incident_id"] == incident["id"]


async def test_a_worker_killed_in_mid_utterance_brings_a_person(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        elder.say(clip("smalltalk"))
        await asyncio.sleep(0.5)
        os.kill(system.speech_worker(), signal.SIGKILL)
        await with_the_duty_phone(system, town, elder)


async def test_a_worker_that_hangs_brings_a_person(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        os.kill(system.speech_worker(), signal.SIGSTOP)
        elder.say(clip("smalltalk"))
        await with_the_duty_phone(system, town, elder)


async def test_call_me_back_is_as_good_as_yes(place: MakePlace) -> None:
    async with place([WANG], speech=True) as (system, town):
        elder = await asked(town)
        await after_the_question(elder)
        wished = await says(elder, clip("cleaning_man"))
        await elder.hears(prompt("wish/call_back"), within=6, first_s=1.5, since=wished)
        agreed = await says(elder, clip("call_back"))
        await elder.hears(prompt("queue/call_back_promise"), within=6, since=agreed)
        await elder.ended(15)
        assert (await only_call(system, CALLER))["outcome"] == "call_back_promised"


async def test_without_a_duty_phone_he_is_asked_once_and_called_back(place: MakePlace, tmp_path: Path) -> None:
    own = tmp_path / "y" / "prompts" / "wish" / "what_no_duty.alaw"
    own.write_bytes(prompt("wish/what_no_duty").read_bytes()[: round(QUESTION_S * 8000)])
    async with place([WANG], speech=True, IVR_DUTY_PHONE="") as (system, town):
        elder = await town.call(CALLER, "12349")
        await elder.hears(prompt("wish/what_no_duty"), within=15, first_s=2.0)
        wished = await says(elder, clip("cleaning_man"))
        await elder.hears(prompt("queue/call_back_promise"), within=8, since=wished)
        await elder.ended(15)
        call = await only_call(system, CALLER)
        assert call["outcome"] == "call_back_promised"
        ticket = await ticket_of(system, call)
        assert (ticket["category"], ticket["call_back"]) == ("service.cleaning", True)


async def test_nobody_is_asked_where_it_is_switched_off(place: MakePlace) -> None:
    async with place([WANG], speech=True, IVR_ASK_WISH_WHEN_BUSY="false") as (_system, town):
        duty = town.duty(DUTY, Answers(after_s=0.5))
        elder = await town.call(CALLER, "12349")
        await elder.hears(prompt("queue/nobody_logged_in"), within=15)
        await (await duty.called(10)).answered()
        await elder.hang_up()
