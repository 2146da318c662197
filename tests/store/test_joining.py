"""Alarm, call and location of one elder are one incident, whichever comes first; retries are one alarm."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from ivr.domain.cascade import Family
from ivr.domain.incident import ArrivedCall, NewAlarm
from ivr.domain.storm import Triage
from ivr.store import triage
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.tables import alarm, call, incident, leg, leg_attempt
from ivr.store.tx import Tx

pytestmark = pytest.mark.usefixtures("town")

DEVICE = NewAlarm("pendant", "press", device_id="D1")
PLACE = NewAlarm("watch", "location", device_id="D1", location={"lat": 31.2, "lng": 121.4})
CANCEL = NewAlarm("pendant", "cancel", device_id="D1")


@pytest.fixture
def incidents(store: Store) -> SqlIncidents:
    return SqlIncidents(store)


def called(number: str, uniqueid: str = "1.1") -> NewAlarm:
    arrived = ArrivedCall("node1", uniqueid, uniqueid, "12349120", number)
    return NewAlarm("call", "emergency_call", phone=number, call=arrived, idempotency_key=f"call:node1:{uniqueid}")


async def _open(store: Store) -> list[Any]:
    async with store.read() as conn:
        return list(await conn.execute(select(incident).where(incident.c.state == "open").order_by(incident.c.id)))


async def _alarms(store: Store, incident_id: str) -> list[str]:
    query = select(alarm.c.kind).where(alarm.c.incident_id == incident_id).order_by(alarm.c.id)
    async with store.read() as conn:
        return list(await conn.scalars(query))


async def _age(store: Store, seconds: float) -> None:
    """As if everything so far had come that much earlier."""

    def change(tx: Tx) -> None:
        for table, column in ((alarm, "received_at"), (incident, "opened_at"), (incident, "closed_at")):
            for row in tx.conn.execute(select(table.c.id, table.c[column])).all():
                if row[1] is not None:
                    earlier = row[1] - timedelta(seconds=seconds)
                    tx.conn.execute(update(table).where(table.c.id == row.id).values({column: earlier}))

    await store.write(change)


@pytest.mark.parametrize("messages", list(permutations((DEVICE, PLACE, called("02155500001")))))
async def test_alarm_location_and_call_in_any_order_are_one(
    store: Store, incidents: SqlIncidents, messages: tuple[NewAlarm, ...]
) -> None:
    raised = [await incidents.raise_alarm(one) for one in messages]
    assert [one.joined for one in raised] == [False, True, True]
    (only,) = await _open(store)
    assert (only.elder_no, only.place, only.dial_after) == ("E1", PLACE.location, None)
    assert await _alarms(store, only.id) == [one.kind for one in messages]


async def test_call_from_an_unknown_number_then_the_device_that_names_it(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(called("17000000001"))
    second = await incidents.raise_alarm(replace(DEVICE, phone="17000000001"))
    assert (second.incident_id, second.joined) == (first.incident_id, True)
    (only,) = await _open(store)
    assert only.elder_no == "E1", "the device says who it is"
    identified = [one for one in await Journal(store).after(0) if one.kind == "incident.identified"]
    assert [one.data["elder_no"] for one in identified] == ["E1"]
    async with store.read() as conn:
        family = select(leg.c.phone).where(leg.c.incident_id == only.id, leg.c.role == "family")
        assert set(await conn.scalars(family)) == {"13900000001", "13900000002"}


async def test_device_that_names_a_number_then_the_call_from_it(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(replace(DEVICE, phone="17000000001"))
    second = await incidents.raise_alarm(called("17000000001"))
    assert (second.incident_id, second.joined) == (first.incident_id, True)


async def test_a_number_that_was_named_long_ago_joins_nothing(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(replace(DEVICE, phone="17000000001"))
    await _age(store, 61)
    second = await incidents.raise_alarm(called("17000000001"))
    assert second.incident_id != first.incident_id


async def test_the_window_is_a_setting(store: Store) -> None:
    wide = SqlIncidents(store, join_window_s=600)
    first = await wide.raise_alarm(replace(DEVICE, phone="17000000001"))
    await _age(store, 300)
    assert (await wide.raise_alarm(called("17000000001"))).incident_id == first.incident_id


async def test_shared_number_and_the_device_of_one_of_them(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(called("02155500002"))
    second = await incidents.raise_alarm(NewAlarm("smoke", "smoke", device_id="D2"))
    assert second.incident_id == first.incident_id
    (only,) = await _open(store)
    assert (only.elder_no, only.elder_choices) == ("E2", ["E2", "E3"])


async def test_device_of_one_then_the_number_they_share(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(NewAlarm("smoke", "smoke", device_id="D2"))
    second = await incidents.raise_alarm(called("02155500002"))
    assert second.incident_id == first.incident_id
    async with store.read() as conn:
        family = select(leg.c.phone).where(leg.c.incident_id == first.incident_id, leg.c.role == "family")
        assert set(await conn.scalars(family)) == {"13900000003", "13900000004"}, "both families"


async def test_the_same_number_of_two_elders_with_alarms_of_their_own(store: Store, incidents: SqlIncidents) -> None:
    """E3 has an incident; an alarm that names E2 is another, though they share a telephone."""
    first = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E3", phone="02155500002"))
    second = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E2", phone="02155500002"))
    assert first.incident_id != second.incident_id
    assert len(await _open(store)) == 2


async def test_location_alone_dials_nobody_within_the_window(store: Store, incidents: SqlIncidents) -> None:
    raised = await incidents.raise_alarm(PLACE)
    (only,) = await _open(store)
    assert (only.id, only.place) == (raised.incident_id, PLACE.location)
    assert only.dial_after is not None
    assert timedelta(seconds=55) < only.dial_after - datetime.now(UTC) <= timedelta(seconds=60)
    await incidents.raise_alarm(replace(PLACE, location={"lat": 31.3, "lng": 121.4}))
    (only,) = await _open(store)
    assert only.place == {"lat": 31.3, "lng": 121.4}
    assert only.dial_after is not None, "a second location is no alarm either"


async def test_cancel_before_its_alarm_stops_nothing(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(CANCEL)
    assert (await _open(store))[0].dial_after is not None
    second = await incidents.raise_alarm(DEVICE)
    assert second.incident_id == first.incident_id
    (only,) = await _open(store)
    assert only.dial_after is None, "the alarm is dialled for: only a person's clear word cancels"


async def test_late_location_of_one_just_closed_opens_nothing(store: Store, incidents: SqlIncidents) -> None:
    raised = await incidents.raise_alarm(DEVICE)
    await incidents.close(raised.incident_id, by="小李", outcome="helped", reason="已处理，老人平安")
    late = await incidents.raise_alarm(PLACE)
    assert (late.incident_id, late.joined) == (raised.incident_id, True)
    assert await _open(store) == []
    assert await _alarms(store, raised.incident_id) == ["press", "location"]


async def test_alarm_of_one_just_closed_is_new_and_says_of_which(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(DEVICE)
    await incidents.close(first.incident_id, by="小李", outcome="false_alarm", reason="误按")
    second = await incidents.raise_alarm(DEVICE)
    assert (second.joined, second.repeated) == (False, False), "the same words, but he pressed again"
    (only,) = await _open(store)
    assert only.refers_to == first.incident_id
    await incidents.close(second.incident_id, by="小李", outcome="false_alarm", reason="误按")
    await _age(store, 61)
    await incidents.raise_alarm(DEVICE)
    assert (await _open(store))[0].refers_to is None


async def test_retry_without_a_key_is_one_alarm(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(DEVICE)
    again = await incidents.raise_alarm(DEVICE)
    assert (again.incident_id, again.repeated) == (first.incident_id, True)
    other = await incidents.raise_alarm(replace(DEVICE, note="第二次"))
    assert not other.repeated
    await _age(store, 61)
    assert not (await incidents.raise_alarm(DEVICE)).repeated, "a minute later it is another press"
    assert len(await _alarms(store, first.incident_id)) == 3


async def test_wrong_clocks_are_kept_and_marked_and_never_refused(store: Store, incidents: SqlIncidents) -> None:
    for at in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC), datetime.now(UTC)):
        await incidents.raise_alarm(replace(DEVICE, at=at))
    async with store.read() as conn:
        rows = list(await conn.execute(select(alarm.c.at, alarm.c.clock_off_s).order_by(alarm.c.id)))
    assert [row.at.year for row in rows[:2]] == [1970, 2099]
    assert rows[0].clock_off_s < -(10**9)
    assert rows[1].clock_off_s > 10**9
    assert rows[2].clock_off_s is None
    assert len(await _open(store)) == 1


async def test_signature_of_a_clock_that_goes_right_is_never_a_second_alarm(
    store: Store, incidents: SqlIncidents
) -> None:
    new = replace(DEVICE, idempotency_key="sig:platform:aa", sent_at=datetime.now(UTC))
    first = await incidents.raise_alarm(new)
    await incidents.close(first.incident_id, by="小李", outcome="helped", reason="已处理，老人平安")
    await _age(store, 3600)
    replayed = await incidents.raise_alarm(new)
    assert (replayed.incident_id, replayed.repeated) == (first.incident_id, True)
    assert await _open(store) == []


async def test_signature_of_a_clock_that_stands_still_is_a_new_alarm_later(
    store: Store, incidents: SqlIncidents
) -> None:
    new = replace(DEVICE, idempotency_key="sig:platform:bb", sent_at=datetime(2000, 1, 1, tzinfo=UTC))
    first = await incidents.raise_alarm(new)
    assert (await incidents.raise_alarm(new)).repeated
    await incidents.close(first.incident_id, by="小李", outcome="helped", reason="已处理，老人平安")
    assert (await incidents.raise_alarm(new)).repeated, "a retry that came late"
    await _age(store, 61)
    second = await incidents.raise_alarm(new)
    assert (second.repeated, second.joined) == (False, False)


async def test_two_processes_at_once(store: Store, other: Store) -> None:
    messages = [DEVICE, called("02155500001"), PLACE, DEVICE, CANCEL]
    await asyncio.gather(
        *(SqlIncidents(at).raise_alarm(one) for one in messages for at in (store, other)),
    )
    (only,) = await _open(store)
    assert sorted(await _alarms(store, only.id)) == ["cancel", "emergency_call", "location", "press"]


async def test_pressed_anew_after_by_mistake_is_no_retry(store: Store, incidents: SqlIncidents) -> None:
    raised = await incidents.raise_alarm(DEVICE)
    assert (await incidents.raise_alarm(DEVICE)).repeated
    await incidents.family(raised.incident_id, Family.CANCELLED, by="李娜", word="elder", reason="按错了")
    again = await incidents.raise_alarm(DEVICE)
    assert (again.incident_id, again.repeated) == (raised.incident_id, False)
    (row,) = await _open(store)
    assert row.family is None, "the relatives are called after all"
    assert (await incidents.raise_alarm(DEVICE)).repeated, "and from then on a retry is one again"
    assert await _alarms(store, raised.incident_id) == ["press", "press"]


async def test_pressed_anew_after_safe_is_no_retry(store: Store, incidents: SqlIncidents) -> None:
    raised = await incidents.raise_alarm(DEVICE)
    await store.write(lambda tx: triage.mark(tx, raised.incident_id, Triage.SAFE))
    again = await incidents.raise_alarm(DEVICE)
    assert (again.incident_id, again.repeated) == (raised.incident_id, False)
    (row,) = await _open(store)
    assert row.triage is None, "he is asked again, and closed with nobody"


SAID = {
    "alarm": replace(DEVICE, phone="17000000001"),
    "alarm with a key": replace(DEVICE, kind="fall", idempotency_key="k", phone="17000000001"),
    "call": called("17000000001", "1.1"),
    "second call": called("17000000001", "1.2"),
    "location": replace(PLACE, phone="17000000001"),
    "cancel": replace(CANCEL, phone="17000000001"),
}


async def test_any_order_with_any_repeats_is_one_incident_with_every_alarm(store: Store) -> None:
    """The number is nobody's; the device names it. Hypothesis makes the orders, one clean database a try."""
    from hypothesis import given, settings
    from hypothesis import strategies as st

    loop = asyncio.get_running_loop()

    def clean(tx: Tx) -> None:
        for table in (leg_attempt, leg, alarm, call, incident):
            tx.conn.execute(delete(table))

    async def one(order: list[str]) -> None:
        await store.write(clean)
        incidents = SqlIncidents(store)
        for name in order:
            await incidents.raise_alarm(SAID[name])
        (only,) = await _open(store)
        assert sorted(await _alarms(store, only.id)) == sorted(SAID[name].kind for name in set(order))
        if set(order) - {"call", "second call"}:
            assert only.elder_no == "E1"
        assert (only.dial_after is None) == bool(set(order) - {"location", "cancel"})
        async with store.read() as conn:
            assert await conn.scalar(select(func.count()).select_from(incident)) == 1

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(sorted(SAID)), min_size=1, max_size=9))
    def any_order(order: list[str]) -> None:
        asyncio.run_coroutine_threadsafe(one(order), loop).result(60)

    await asyncio.to_thread(any_order)
