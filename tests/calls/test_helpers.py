"""Workers and hospitals as legs: wished through the API, dialled by the engine; judged by what far ends received."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from ivr.store.db import Store
from ivr.store.tables import elder, hospital, worker
from ivr.store.tx import Tx
from ivr.voice.library import Library
from tests.calls.harness import Answers, Busy, Declines, NoAnswer, Town, Voicemail
from tests.calls.place import MakePlace
from tests.calls.system import Person, System, prompt
from tests.doubles.package_receiver import Receiver

DEMO = Path(__file__).parents[2] / "prompts" / "demo"
CRY = DEMO / "elder_press.alaw"
CALM = DEMO / "agent_emergency.alaw"
ALONE = Person("E1", "王秀英", "02150001111")
NEAR, FAR, THIRD = "13700000101", "13700000102", "13700000103"
HOSPITAL = "02155520001"
SECRET = "agreed-with-the-hospital"
GOES = Answers(after_s=0.3, presses="1", presses_after_s=2)


async def enlist(system: System, *workers: tuple[str, float], endpoint: str | None = None, helper: str = "") -> None:
    """Workers by phone and distance north of the elder in degrees (0.01 is 1.1 km), and one hospital."""

    def change(tx: Tx) -> None:
        values = {"lat": 31.2, "lng": 121.4, "district": "静安区", "medical": "高血压", "helper_no": helper or None}
        tx.conn.execute(update(elder).where(elder.c.elder_no == "E1").values(**values))
        for number, (phone, north) in enumerate(workers, 1):
            place = {"lat": 31.2 + north, "lng": 121.4, "skills": "护理", "district": "静安区"}
            tx.conn.execute(insert(worker).values(worker_no=f"W{number}", name=f"护理员{number}", phone=phone, **place))
        tx.conn.execute(
            insert(hospital).values(
                name="静安医院", phone=HOSPITAL, district="静安区", lat=31.23, lng=121.4, capabilities="急诊",
                endpoint=endpoint, push_secret=SECRET if endpoint else None,
            )
        )  # fmt: skip

    async with Store(system.settings.effective_database_url, name="test") as store:
        await store.write(change)


async def pressed(system: System, town: Town) -> tuple[Any, str]:
    """The elder has pressed and is in the room; his incident."""
    lamp = await town.call("02150001111", "12349120")
    await lamp.answered()
    await system.in_room(1)
    return lamp, str((await system.incidents())[0]["id"])


async def wish(system: System, incident: str, status: int = 201, **body: str) -> dict[str, Any]:
    found = await system.api("POST", f"/incidents/{incident}/legs", {"by": "李娜", **body}, status=status)
    return dict(found)


async def test_a_worker_called_in_by_one_click_accepts_and_hears_the_elder(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="") as (system, town):
        await enlist(system, (NEAR, 0.01), (FAR, 0.2))
        near, far = town.family(NEAR, GOES), town.family(FAR, NoAnswer())
        lamp, incident = await pressed(system, town)
        first = (await system.api("GET", f"/incidents/{incident}/helpers", status=200))["items"][0]
        assert (first["worker_no"], first["phone"]) == ("W1", NEAR)
        leg = await wish(system, incident, role="worker", worker_no=first["worker_no"])
        assert leg["role"] == "worker"
        call = await near.called(within=3)
        await call.hears(prompt("worker/alarm"))
        again = await wish(system, incident, status=200, role="worker", worker_no="W1")
        assert again["id"] == leg["id"], "idempotent while the leg lives"
        await system.leg("worker", NEAR, "accepted")
        await system.in_room(2)
        lamp.say(CRY)
        await call.hears(CRY)
        await lamp.said()
        call.say(CALM)
        await lamp.hears(CALM)
        assert len(near.calls) == 1
        assert far.calls == [], "nobody asked for him"
        await lamp.hang_up()
        await call.hang_up()
        await system.leg("worker", NEAR, "ended/talked")


async def test_an_offer_goes_to_the_next_worker_when_one_says_no_and_stops_at_the_first_yes(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="") as (system, town):
        await enlist(system, (THIRD, 0.3), (FAR, 0.2), (NEAR, 0.01))
        no = town.family(NEAR, Answers(after_s=0.3, presses="2", presses_after_s=2))
        yes, third = town.family(FAR, GOES), town.family(THIRD, NoAnswer())
        _lamp, incident = await pressed(system, town)
        assert no.calls == [], "on request: nobody is rung before"
        body = {"by": "李娜"}
        assert (await system.api("POST", f"/incidents/{incident}/helpers", body, status=201))["began"]
        assert not (await system.api("POST", f"/incidents/{incident}/helpers", body, status=200))["began"]
        first = await no.called(within=3)
        assert yes.calls == [], "one after the other"
        await first.hears(prompt("worker/declined"), within=12, first_s=1.5)
        second = await yes.called(within=3)
        assert second.invited_at > first.invited_at
        await system.leg("worker", NEAR, "ended/declined")
        await system.leg("worker", FAR, "accepted")
        await asyncio.sleep(2)
        assert third.calls == []
        assert len(no.calls) == 1, "who has said no is not asked again"
        found = (await system.incidents())[0]
        assert found["offer"]["outcome"] == "accepted"
        kinds = [event["kind"] for event in found["events"]]
        assert kinds.count("incident.helper_wanted") == 1
        at = "2026-11-22T08:00:00+08:00"
        await system.api("POST", f"/incidents/{incident}/arrived", {"by": "护理员2", "at": at}, status=200)


async def test_the_elders_own_helper_before_the_nearer_one_and_by_itself_where_it_is_always(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="", IVR_OFFER_WORKER="always", IVR_WORKER_OFFER_S="6") as (system, town):
        await enlist(system, (NEAR, 0.01), (FAR, 0.2), helper="W2")
        near, own = town.family(NEAR, GOES), town.family(FAR, NoAnswer())
        _lamp, incident = await pressed(system, town)
        first, second = await own.called(within=5), await near.called(within=10)
        assert first.invited_at < second.invited_at
        items = (await system.api("GET", f"/incidents/{incident}/helpers", status=200))["items"]
        best = next(one for one in items if one.get("worker_no") == "W2")
        assert any("绑定" in reason for reason in best["reasons"])
        await system.leg("worker", NEAR, "accepted")


async def test_after_the_set_time_the_next_worker_is_rung_and_the_phone_that_rings_is_stopped(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="", IVR_WORKER_OFFER_S="5", IVR_HELPER_RING_S="30") as (system, town):
        await enlist(system, (NEAR, 0.01), (FAR, 0.2))
        silent, yes = town.family(NEAR, NoAnswer()), town.family(FAR, GOES)
        _lamp, incident = await pressed(system, town)
        await system.api("POST", f"/incidents/{incident}/helpers", {"by": "李娜"}, status=201)
        first, second = await silent.called(), await yes.called(within=8)
        waited = second.invited_at - first.invited_at
        print(f"next worker after {waited:.2f} s of 5")
        assert 4.5 < waited < 7
        await first.ended(3)
        assert first.answered_at is None
        await system.leg("worker", FAR, "accepted")


async def test_when_two_workers_have_had_their_time_the_screen_is_told(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="", IVR_WORKER_OFFER_S="5", IVR_HELPER_RING_S="30") as (system, town):
        await enlist(system, (NEAR, 0.01), (FAR, 0.2))
        phones = [town.family(number, NoAnswer()) for number in (NEAR, FAR)]
        _lamp, incident = await pressed(system, town)
        await system.api("POST", f"/incidents/{incident}/helpers", {"by": "李娜"}, status=201)
        asked = asyncio.get_running_loop().time()

        async def late() -> bool:
            events = (await system.incidents())[0]["events"]
            return "worker_late" in [e.get("why") for e in events if e["kind"] == "incident.escalated"]

        await phones[1].called(within=8)
        assert not await late()
        await system.until(late, 8, "told")
        assert 9 < asyncio.get_running_loop().time() - asked < 14


@pytest.mark.long
async def test_a_voicemail_is_no_worker(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="") as (system, town):
        await enlist(system, (NEAR, 0.01), (FAR, 0.2))
        machine, yes = town.family(NEAR, Voicemail(CALM)), town.family(FAR, GOES)
        _lamp, incident = await pressed(system, town)
        await system.api("POST", f"/incidents/{incident}/helpers", {"by": "李娜"}, status=201)
        await machine.called()
        leg = await system.leg("worker", NEAR, "ended/not_confirmed", within=60)
        assert leg["accepted_at"] is None
        await yes.called(within=5)
        await system.leg("worker", FAR, "accepted")


async def test_a_busy_hospital_is_tried_twice_more_and_then_the_screen_is_told(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="") as (system, town):
        await enlist(system)
        desk = town.family(HOSPITAL, Busy())
        _lamp, incident = await pressed(system, town)
        await wish(system, incident, role="hospital", hospital="静安医院")
        await desk.called(within=30, nth=3)

        async def given_up() -> bool:
            return "leg.given_up" in [event["kind"] for event in (await system.incidents())[0]["events"]]

        await system.until(given_up, 5, "given up")
        await asyncio.sleep(10)
        assert len(desk.calls) == 3


async def test_a_hospital_hears_the_package_read_aloud_after_its_key_and_not_before(place: MakePlace) -> None:
    """Recordings stand in for the synthesiser's: each of the four is another clip."""
    clips = [DEMO / f"{name}.alaw" for name in ("daughter", "son", "agent_emergency", "elder_call")]
    sentences = (
        "求助的老人是王秀英。",
        "进门的办法：女儿有钥匙。",
        "病情和用药：高血压。",
        "女儿的电话是，幺三八，零零零零，零零零幺。",
    )
    there = place([Person("E1", "王秀英", "02150001111", ["13800000001"])], IVR_DUTY_PHONE="")
    for text, audio in zip(sentences, clips, strict=True):
        Library(there.folder / "spoken").put(text, audio.read_bytes())
    async with there as (system, town):
        await enlist(system)
        await system.sql("UPDATE elder SET access = '女儿有钥匙'")
        await system.sql("UPDATE contact SET relation = '女儿'")
        town.family("13800000001", NoAnswer())
        desk = town.family(HOSPITAL, Answers(after_s=0.3))
        lamp, incident = await pressed(system, town)
        await wish(system, incident, role="hospital", hospital="静安医院")
        call = await desk.called(within=3)
        await call.hears(prompt("hospital/alarm"), first_s=1.0)
        call.press("3")
        heard = [await call.hears(audio, within=25) for audio in clips]
        places = [match.at_s for match in heard]
        assert places == sorted(places)
        assert (await call.hears(prompt("hospital/about"))).at_s < places[0]
        await call.hears(prompt("hospital/choose"), within=20)
        call.press("1")
        await system.leg("hospital", HOSPITAL, "accepted")
        await lamp.hang_up()


async def test_the_hospital_is_told_by_signed_http_though_its_telephone_rings_and_hears_the_prompt(
    place: MakePlace,
) -> None:
    async with (
        Receiver(SECRET, answers=[500, 500]) as server,
        place([ALONE], IVR_DUTY_PHONE="") as (system, town),
    ):
        await enlist(system, endpoint=server.endpoint)
        desk = town.family(HOSPITAL, Answers(after_s=0.3, presses="3", presses_after_s=2))
        lamp, incident = await pressed(system, town)
        assert server.tries == [], "nobody's illnesses go anywhere before somebody wants it"
        await wish(system, incident, role="hospital", hospital="静安医院")
        call = await desk.called(within=3)
        await call.hears(prompt("hospital/alarm"), first_s=1.0)
        await call.hears(prompt("hospital/ask_centre"), within=12)
        call.press("1")
        await call.hears(prompt("hospital/connecting"), within=8, first_s=1.0)
        await system.leg("hospital", HOSPITAL, "accepted")
        await system.until(lambda: server.taken, 10, "the package")
        assert len(server.tries) == 3
        assert server.refused == []
        (got,) = server.taken
        assert got.content["patient"]["illnesses_and_medicines"] == "高血压"
        assert got.content["location"]["route"]["distance_km"] == pytest.approx(3.34, abs=0.01)
        found = (await system.incidents())[0]
        assert [one["state"] for one in found["packages"]] == ["sent"]
        told = [event for event in found["events"] if event["kind"].startswith("package.")]
        assert [event["kind"] for event in told] == ["package.queued", "package.failed", "package.sent"]
        assert "高血压" not in str(told)
        assert "王秀英" not in str(told)
        # Worse: the pendant again.
        await system.api("POST", "/alarms", {"source": "radar", "kind": "fall", "elder_no": "E1"}, status=200)
        await system.until(lambda: len(server.taken) == 2, 10, "told again")
        assert server.taken[1].content["said"][-1]["text"] == "fall"
        assert server.taken[1].content["number"] == 2
        await system.in_room(2)
        # He was alone for long: the room may be speaking to him just now, over his first words.
        lamp.say(CRY)
        await lamp.said()
        lamp.say(CRY)
        await call.hears(CRY, within=15)


async def test_a_wish_made_while_the_engine_is_dead_is_dialled_when_it_is_back(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="") as (system, town):
        await enlist(system, (NEAR, 0.01))
        near, desk = town.family(NEAR, GOES), town.family(HOSPITAL, Declines())
        lamp, incident = await pressed(system, town)
        await system.kill("engine")
        await wish(system, incident, role="worker", worker_no="W1")
        await wish(system, incident, role="hospital", hospital="静安医院")
        await asyncio.sleep(1)
        assert near.calls == []
        await system.start("engine")
        call = await near.called(within=5)
        await desk.called(within=5)
        await system.leg("worker", NEAR, "accepted")
        await system.in_room(2)
        lamp.say(CRY)
        await call.hears(CRY)
        await system.leg("hospital", HOSPITAL, "ended/declined")
        await asyncio.sleep(1)
        assert len(near.calls) == 1
        assert len(desk.calls) == 1, "who has said no is not called again"


async def test_120_is_dialled_only_where_its_number_is_set(place: MakePlace) -> None:
    async with place([ALONE], IVR_DUTY_PHONE="", IVR_AMBULANCE_NUMBER="120") as (system, town):
        ambulance = town.family("120", GOES)
        _lamp, incident = await pressed(system, town)
        await wish(system, incident, role="hospital", phone="120")
        call = await ambulance.called(within=3)
        await call.hears(prompt("hospital/alarm"))
        await system.leg("hospital", "120", "accepted")
        for phone in ("110", "13912345678"):
            refused = await wish(system, incident, status=422, role="hospital", phone=phone)
            assert refused["error"]["field"] == "phone"
