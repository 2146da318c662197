"""The outbox of packages: leased, frozen, tried again, given up, and told again when it is worse."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ivr.domain.incident import NewAlarm, Role
from ivr.domain.pushing import PushPolicy
from ivr.services.packages import AMBULANCE, Parcel
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.packages import SqlPackages
from ivr.store.tables import elder, hospital, package
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes

NAME, PHONE = "静安医院", "02155520001"


@pytest.fixture
def packages(store: Store) -> SqlPackages:
    return SqlPackages(store, "node1-1", "12349", PushPolicy(give_up_after_s=3600))


@pytest.fixture
def wishes(store: Store) -> SqlWishes:
    return SqlWishes(store)


@pytest.fixture
async def incident_id(store: Store, town: None) -> str:
    def change(tx: Tx) -> None:
        known: dict[str, Any] = {
            "lat": 31.2, "lng": 121.4, "address": "延平路1号", "access": "钥匙在502", "medical": "冠心病；青霉素过敏",
            "sex": "F", "birth_date": date(1940, 5, 6),
        }  # fmt: skip
        tx.conn.execute(update(elder).where(elder.c.elder_no == "E1").values(**known))
        tx.conn.execute(
            insert(hospital).values(
                name=NAME, phone=PHONE, lat=31.21, lng=121.4, endpoint="https://h.example/alarm", push_secret="s" * 16
            )
        )
        tx.conn.execute(insert(hospital).values(name="只有电话", phone="02155520002"))

    await store.write(change)
    return (await SqlIncidents(store).raise_alarm(NewAlarm("pendant", "press", elder_no="E1", note="摔了"))).incident_id


async def want(wishes: SqlWishes, incident_id: str, name: str = NAME, phone: str = PHONE) -> None:
    await wishes.want(incident_id, Role.HOSPITAL, phone, name=name, by="李娜")


async def only(packages: SqlPackages) -> Parcel:
    (parcel,) = await packages.lease(9, 30)
    return parcel


async def due_now(store: Store, **more: Any) -> None:
    await store.write(lambda tx: tx.conn.execute(update(package).values(due_at=datetime.now(UTC), **more)))


async def told(store: Store, incident_id: str) -> list[Any]:
    events = await Journal(store).after(0, incident_id=incident_id)
    return [one for one in events if one.kind.startswith("package.") or one.kind == "incident.escalated"]


async def test_nothing_is_sent_before_a_hospital_is_wanted_and_then_all_that_it_needs(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    await wishes.want(incident_id, Role.WORKER, "13700000001", name="近", by="李娜")
    assert await packages.lease(9, 30) == []
    assert await packages.next_due() is None
    legs = SqlLegs(store, "node1", "e")
    daughter = await legs.begin_attempt(incident_id, Role.FAMILY, "13900000001")
    assert daughter
    await legs.accept(daughter, only_first=False)
    await want(wishes, incident_id)
    parcel = await only(packages)
    assert (parcel.target, parcel.endpoint, parcel.secret) == (NAME, "https://h.example/alarm", "s" * 16)
    assert "冠心病" not in repr(parcel)
    body = json.loads(parcel.body)
    assert (body["version"], body["package_id"], body["incident_id"]) == (1, parcel.id, incident_id)
    assert body["patient"]["name"] == "王秀英"
    assert body["patient"]["illnesses_and_medicines"] == "冠心病；青霉素过敏"
    assert body["patient"]["how_to_get_in"] == "钥匙在502"
    assert body["patient"]["age"] in (86, 87)
    assert [one["phone"] for one in body["contacts"]] == ["13900000001", "13900000002"]
    assert body["said"] == [
        {"at": body["said"][0]["at"], "kind": "alarm", "text": "press", "note": "摔了", "location": None}
    ]
    assert body["location"]["route"]["distance_km"] == pytest.approx(1.11, abs=0.01)
    assert body["location"]["route"]["direction"] == "南"
    assert body["on_the_way"] == [{"role": "family", "name": "女儿", "phone": "13900000001"}]


async def test_a_hospital_that_takes_none_is_only_rung_and_120_only_where_it_is_set(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    await want(wishes, incident_id, "只有电话", "02155520002")
    await want(wishes, incident_id, AMBULANCE, "120")
    assert await packages.lease(9, 30) == []
    set_up = SqlWishes(store, push_to_ambulance=True)
    other = (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", phone="02155500002"))).incident_id
    await want(set_up, other, AMBULANCE, "120")
    body = json.loads((await only(packages)).body)
    assert body["patient"] is None
    assert [one["name"] for one in body["possible_patients"]] == ["张建国", "李桂兰"], "nobody knows which: both"


async def test_120_without_a_number_is_sent_one_package_by_policy_where_it_takes_any(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    assert not await wishes.tell_ambulance(incident_id)
    assert await packages.lease(9, 30) == []
    set_up = SqlWishes(store, push_to_ambulance=True)
    for _ in range(3):  # as in every round while nobody comes
        assert await set_up.tell_ambulance(incident_id)
    assert (await only(packages)).target == AMBULANCE
    await store.write(lambda tx: tx.conn.execute(update(package).values(state="sent")))
    assert await set_up.tell_ambulance(incident_id)
    (queued,) = await told(store, incident_id)
    assert (queued.kind, queued.data["target"], queued.data["by"]) == ("package.queued", AMBULANCE, "policy")


async def test_one_lease_at_a_time_the_same_body_again_and_none_left_behind_once_it_is_taken(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    await want(wishes, incident_id)
    first = await only(packages)
    other = SqlPackages(store, "node2-7", "12349", PushPolicy())
    assert await other.lease(9, 30) == []
    await other.reclaim("node2")
    assert await other.lease(9, 30) == [], "another node's is not ours to take"
    await store.write(lambda tx: tx.conn.execute(update(elder).values(medical="别的")))
    await packages.failed(first.id, "timeout")
    assert await packages.lease(9, 30) == [], "not before its time"
    due = await packages.next_due()
    assert due is not None
    assert 0 < (due - datetime.now(UTC)).total_seconds() < 1.1
    await due_now(store)
    # Killed in between: the engine that is started anew takes it at once.
    again = await only(packages)
    assert again.body == first.body, "one key, one body"
    await packages.reclaim("node1")
    assert (await only(packages)).id == first.id
    await packages.sent(first.id)
    await packages.sent(first.id)
    await packages.failed(first.id, "timeout")
    async with store.read() as conn:
        row = (await conn.execute(select(package))).one()
    assert (row.state, row.body, row.tries) == ("sent", None, 2)
    kinds = [(one.kind, one.data.get("why"), one.data.get("given_up")) for one in await told(store, incident_id)]
    assert kinds == [("package.queued", None, None), ("package.failed", "timeout", False), ("package.sent", None, None)]
    everything = str([one.data for one in await Journal(store).after(0, incident_id=incident_id)])
    assert not [word for word in ("冠心病", "青霉素", "王秀英", "延平路", "13900000001") if word in everything]


async def test_what_nobody_takes_is_given_up_and_the_screen_is_told(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    await want(wishes, incident_id)
    for why in ("http_500", "http_500", "unreachable"):
        parcel = await only(packages)
        await packages.failed(parcel.id, why)
        await due_now(store)
    parcel = await only(packages)
    await due_now(store, queued_at=datetime.now(UTC) - timedelta(hours=2))
    await packages.failed(parcel.id, "unreachable")
    assert await packages.lease(9, 30) == []
    assert await packages.next_due() is None
    events = await told(store, incident_id)
    assert [one.data["why"] for one in events if one.kind == "package.failed"] == [
        "http_500",
        "unreachable",
        "unreachable",
    ]
    assert [one.data.get("given_up") for one in events if one.kind == "package.failed"] == [False, False, True]
    assert events[-1].data["why"] == "package_not_delivered"
    async with store.read() as conn:
        assert await conn.scalar(select(package.c.body)) is None, "nobody's illnesses lie about"


async def test_something_worse_is_told_again_once_and_something_else_is_not(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    async def journal(kind: str, **data: Any) -> None:
        await Journal(store).note(kind, incident_id=incident_id, **data)

    await journal("speech.heard", meaning="distress.fall")
    assert await packages.tell_again(ambulance=False) == 0, "nobody was told anything yet"
    await want(wishes, incident_id)
    first = await only(packages)
    assert "摔倒" in first.body.decode()
    await packages.sent(first.id)
    await journal("speech.heard", meaning="service.meal")
    await journal("file.viewed", by="x")
    assert await packages.tell_again(ambulance=False) == 0
    await journal("speech.heard", meaning="distress.chest")
    assert await packages.tell_again(ambulance=False) == 1
    assert await packages.tell_again(ambulance=False) == 0, "it is on its way"
    second = await only(packages)
    assert second.id != first.id
    body = json.loads(second.body)
    assert (body["number"], body["said"][-1]["text"]) == (2, "胸口难受")
    # Worse still, before that one was taken: it has its body already, so there is a third.
    await SqlIncidents(store).raise_alarm(NewAlarm("radar", "fall", elder_no="E1"))
    assert await packages.tell_again(ambulance=False) == 1
    third = await only(packages)
    assert json.loads(third.body)["said"][-1]["text"] == "fall"
    for one in (second, third):
        await packages.sent(one.id)
    await SqlIncidents(store).close(incident_id, by="x", outcome="helped", reason="explained")
    await journal("speech.heard", meaning="distress.chest")
    assert await packages.tell_again(ambulance=False) == 0


async def test_a_false_alarm_sends_nothing_any_more_and_another_end_does(
    store: Store, packages: SqlPackages, wishes: SqlWishes, incident_id: str
) -> None:
    await want(wishes, incident_id)
    await SqlIncidents(store).close(incident_id, by="x", outcome="false_alarm", reason="explained")
    assert await packages.lease(9, 30) == []
    other = (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id
    await want(wishes, other)
    await SqlIncidents(store).close(other, by="x", outcome="ambulance", reason="explained")
    assert (await only(packages)).target == NAME


def test_outcome_names_are_those_of_the_console() -> None:
    from agent_console.words import CLOSE_OUTCOMES
    from ivr.store.packages import NOT_NEEDED

    assert set(NOT_NEEDED) <= set(CLOSE_OUTCOMES)
