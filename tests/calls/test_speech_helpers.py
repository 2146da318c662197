"""Care workers and hospitals answer by voice; who was not understood is asked once more, by keys alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.calls.harness import Answers, Leg
from tests.calls.place import MakePlace
from tests.calls.spoken import babbles, clip, says
from tests.calls.system import prompt
from tests.calls.test_helpers import ALONE, FAR, HOSPITAL, NEAR, THIRD, enlist, pressed, wish

PICKS_UP = Answers(after_s=0.3)
QUESTION_S = 3.0


@pytest.fixture(autouse=True)
def short_question(tmp_path: Path) -> None:
    """The centre's own recording is a short one: words that nobody understands end no question before its end."""
    own = tmp_path / "y" / "prompts" / "worker"
    own.mkdir(parents=True)
    (own / "alarm_say.alaw").write_bytes(prompt("worker/alarm_say").read_bytes()[: round(QUESTION_S * 8000)])


async def again(call: Leg, alarm: str, clip_name: str) -> None:
    """Hears the question, says "once more", and hears it from its beginning."""
    await call.hears(prompt(alarm), within=8, first_s=1.5)
    said = await says(call, clip(clip_name))
    await call.hears(prompt(alarm), within=6, first_s=1.5, since=said)


async def test_workers_say_again_and_yes_and_no(place: MakePlace) -> None:
    async with place([ALONE], speech=True, IVR_DUTY_PHONE="") as (system, town):
        await enlist(system, (NEAR, 0.01), (FAR, 0.2), (THIRD, 0.3))
        no, unclear, yes = (town.family(phone, PICKS_UP) for phone in (FAR, THIRD, NEAR))
        lamp, incident = await pressed(system, town)
        await wish(system, incident, role="worker", worker_no="W2")
        call = await no.called(5)
        await call.hears(prompt("worker/alarm_say"), within=8, first_s=1.5)
        said = await says(call, clip("decline"))
        await call.hears(prompt("worker/declined"), within=6, since=said)
        await system.leg("worker", FAR, "ended/declined")

        await wish(system, incident, role="worker", worker_no="W3")
        call = await unclear.called(5)
        await call.hears(prompt("worker/alarm_say"), within=8, first_s=QUESTION_S - 0.2)
        for answer in ("worker/alarm_say", "worker/press_instead"):
            began = await babbles(call)
            await call.hears(prompt(answer), within=8, first_s=QUESTION_S - 0.2, since=began)
        await says(call, clip("accept"))
        assert (await system.leg("worker", THIRD, "answered"))["accepted_at"] is None, "keys alone from here on"
        await call.hears(prompt("worker/not_confirmed"), within=15, first_s=1.5)
        await system.leg("worker", THIRD, "ended/not_confirmed")

        await wish(system, incident, role="worker", worker_no="W1")
        call = await yes.called(5)
        await again(call, "worker/alarm_say", "again")
        said = await says(call, clip("accept"))
        await call.hears(prompt("worker/connecting"), within=6, since=said)
        await system.leg("worker", NEAR, "accepted")
        await lamp.hang_up()
        await call.hang_up()
        at = "2026-11-22T08:00:00+08:00"
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "护理员1", "at": at}, status=200)


async def test_a_hospital_says_again_and_yes_and_hears_no_name(place: MakePlace) -> None:
    async with place([ALONE], speech=True, IVR_DUTY_PHONE="") as (system, town):
        await enlist(system)
        desk = town.family(HOSPITAL, PICKS_UP)
        lamp, incident = await pressed(system, town)
        await wish(system, incident, role="hospital", hospital="静安医院")
        call = await desk.called(5)
        await again(call, "hospital/alarm_say", "again_man")
        said = await says(call, clip("accept_man"))
        await call.hears(prompt("hospital/connecting"), within=6, since=said)
        await system.leg("hospital", HOSPITAL, "accepted")
        await lamp.hang_up()
        await call.hang_up()
        at = "2026-11-22T08:00:00+08:00"
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "静安医院", "at": at}, status=200)


async def test_a_hospital_says_no(place: MakePlace) -> None:
    async with place([ALONE], speech=True, IVR_DUTY_PHONE="") as (system, town):
        await enlist(system)
        desk = town.family(HOSPITAL, PICKS_UP)
        lamp, incident = await pressed(system, town)
        await wish(system, incident, role="hospital", hospital="静安医院")
        call = await desk.called(5)
        await call.hears(prompt("hospital/alarm_say"), within=8, first_s=1.5)
        said = await says(call, clip("decline_man"))
        await call.hears(prompt("hospital/declined"), within=6, since=said)
        await system.leg("hospital", HOSPITAL, "ended/declined")
        await lamp.hang_up()
