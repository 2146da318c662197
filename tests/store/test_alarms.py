"""Alarms become incidents: one per elder, one per key, and nobody is guessed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from ivr.domain.incident import AlreadyClosed, ArrivedCall, NewAlarm, UnknownElder, UnknownIncident
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.tables import alarm, call, incident, leg, leg_attempt

pytestmark = pytest.mark.usefixtures("town")


@pytest.fixture
def incidents(store: Store) -> SqlIncidents:
    return SqlIncidents(store)


async def _kinds(store: Store) -> list[str]:
    return [one.kind for one in await Journal(store).after(0)]


async def _family(store: Store, incident_id: str) -> list[tuple[str, str]]:
    query = select(leg.c.name, leg.c.phone).where(leg.c.incident_id == incident_id, leg.c.role == "family")
    async with store.read() as conn:
        return sorted(tuple(row) for row in await conn.execute(query))


async def _row(store: Store, incident_id: str) -> Any:
    async with store.read() as conn:
        return (await conn.execute(select(incident).where(incident.c.id == incident_id))).one()


def _call(caller_id: str, uniqueid: str = "1.1") -> ArrivedCall:
    return ArrivedCall("node1", uniqueid, uniqueid, "12349120", caller_id)


async def test_first_alarm_opens_and_lists_the_family(store: Store, incidents: SqlIncidents) -> None:
    raised = await incidents.raise_alarm(NewAlarm("api", "press", device_id="D1"))
    assert not raised.joined
    row = await _row(store, raised.incident_id)
    assert (row.state, row.elder_no, row.elder_choices, row.needs_look) == ("open", "E1", ["E1"], False)
    assert await _family(store, raised.incident_id) == [("儿子", "13900000002"), ("女儿", "13900000001")]
    assert await _kinds(store) == ["incident.opened"]
    assert await incidents.open_ids() == [raised.incident_id]


async def test_second_alarm_joins_the_open_incident(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(NewAlarm("api", "press", device_id="D1"))
    second = await incidents.raise_alarm(NewAlarm("api", "fall", elder_no="E1"))
    third = await incidents.raise_alarm(NewAlarm("call", "one_key", phone="13800000001", call=_call("13800000001")))
    assert (second.incident_id, second.joined) == (first.incident_id, True)
    assert (third.incident_id, third.joined) == (first.incident_id, True)
    assert await _family(store, first.incident_id) == [("儿子", "13900000002"), ("女儿", "13900000001")]
    assert (await _kinds(store)).count("incident.alarm_joined") == 2


async def test_closed_incident_is_not_joined(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))
    await incidents.close(first.incident_id, by="小李", outcome="false_alarm", reason="误按")
    second = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))
    assert second.incident_id != first.incident_id
    assert await incidents.open_ids() == [second.incident_id]


async def test_same_key_twice_is_one_alarm(store: Store, incidents: SqlIncidents) -> None:
    new = NewAlarm("api", "press", device_id="D1", idempotency_key="K")
    first = await incidents.raise_alarm(new)
    again = await incidents.raise_alarm(new)
    assert (again.incident_id, again.repeated) == (first.incident_id, True)
    await incidents.close(first.incident_id, by="小李", outcome="helped", reason="已处理，老人平安")
    later = await incidents.raise_alarm(new)
    assert (later.incident_id, later.repeated) == (first.incident_id, True)
    assert await incidents.open_ids() == []


async def test_same_key_at_the_same_time_from_two_processes(store: Store, other: Store) -> None:
    for number in range(10):
        new = NewAlarm("api", "press", elder_no="E4", idempotency_key=f"K{number}")
        raised = await asyncio.gather(*(SqlIncidents(one).raise_alarm(new) for one in (store, other) for _ in range(4)))
        assert len({one.incident_id for one in raised}) == 1
        assert sum(one.repeated for one in raised) == 7
    async with store.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(alarm)) == 10
        assert await conn.scalar(select(func.count()).select_from(incident)) == 1


async def test_two_alarms_of_one_elder_at_the_same_time_open_one_incident(store: Store, other: Store) -> None:
    for elder_no in ("E1", "E2", "E3", "E4"):
        new = NewAlarm("api", "press", elder_no=elder_no)
        raised = await asyncio.gather(*(SqlIncidents(one).raise_alarm(new) for one in (store, other) for _ in range(4)))
        assert len({one.incident_id for one in raised}) == 1
        assert sum(not one.joined for one in raised) == 1


async def test_unknown_device_opens_an_incident_marked_as_such(store: Store, incidents: SqlIncidents) -> None:
    first = await incidents.raise_alarm(NewAlarm("api", "press", device_id="nobody's", idempotency_key="K"))
    row = await _row(store, first.incident_id)
    assert (row.state, row.elder_no, row.unknown_device) == ("open", None, True)
    (opened,) = await Journal(store).after(0)
    assert (opened.kind, opened.data["unknown_device"]) == ("incident.opened", True)
    again = await incidents.raise_alarm(NewAlarm("api", "press", device_id="nobody's", idempotency_key="K2"))
    assert (again.incident_id, again.joined) == (first.incident_id, True)
    known = await incidents.raise_alarm(NewAlarm("api", "press", device_id="D1"))
    assert not (await _row(store, known.incident_id)).unknown_device


async def test_unknown_elder_is_refused_and_journalled(store: Store, incidents: SqlIncidents) -> None:
    with pytest.raises(UnknownElder):
        await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E999"))
    assert await _kinds(store) == ["alarm.refused"]


async def test_unknown_device_with_a_phone_is_somebody_in_need(store: Store, incidents: SqlIncidents) -> None:
    raised = await incidents.raise_alarm(NewAlarm("api", "press", device_id="new", phone="13800000001"))
    row = await _row(store, raised.incident_id)
    assert (row.elder_no, row.unknown_device) == ("E1", True)


async def test_unknown_elder_no_beside_a_known_device_is_no_reason_to_refuse(
    store: Store, incidents: SqlIncidents
) -> None:
    raised = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E999", device_id="D1"))
    assert (await _row(store, raised.incident_id)).elder_no == "E1"


async def test_unknown_caller_opens_an_incident_without_elder(store: Store, incidents: SqlIncidents) -> None:
    new = NewAlarm("call", "one_key", phone="13012345678", call=_call("13012345678"))
    first = await incidents.raise_alarm(new)
    row = await _row(store, first.incident_id)
    assert (row.elder_no, row.elder_choices) == (None, [])
    second = await incidents.raise_alarm(replace(new, call=_call("13012345678", "1.2")))
    assert (second.incident_id, second.joined) == (first.incident_id, True)
    third = await incidents.raise_alarm(NewAlarm("call", "one_key", phone="", call=_call("", "1.3")))
    fourth = await incidents.raise_alarm(NewAlarm("call", "one_key", phone="", call=_call("", "1.4")))
    assert len({first.incident_id, third.incident_id, fourth.incident_id}) == 3, "withheld numbers are not one person"


async def test_two_elders_on_one_number_nobody_is_guessed(store: Store, incidents: SqlIncidents) -> None:
    new = NewAlarm("call", "one_key", phone="02155500002", call=_call("02155500002"))
    raised = await incidents.raise_alarm(new)
    row = await _row(store, raised.incident_id)
    assert (row.elder_no, row.elder_choices) == (None, ["E2", "E3"])
    # Both families, each phone once.
    assert await _family(store, raised.incident_id) == [("侄女", "13900000004"), ("大儿子", "13900000003")]


async def test_number_of_a_contact_only_yields_choices(store: Store, incidents: SqlIncidents) -> None:
    """The daughter who calls is not the person at risk."""
    new = NewAlarm("call", "one_key", phone="13900000001", call=_call("13900000001"))
    raised = await incidents.raise_alarm(new)
    row = await _row(store, raised.incident_id)
    assert (row.elder_no, row.elder_choices) == (None, ["E1"])


async def test_caller_id_of_a_device_is_its_owner(store: Store, incidents: SqlIncidents) -> None:
    new = NewAlarm("call", "device", phone="14700000001", call=_call("14700000001"))
    raised = await incidents.raise_alarm(new)
    assert (await _row(store, raised.incident_id)).elder_no == "E1"
    async with store.read() as conn:
        assert await conn.scalar(select(alarm.c.device_id)) == "D1"


async def test_call_is_on_record_with_a_live_line(store: Store, incidents: SqlIncidents) -> None:
    new = NewAlarm("call", "one_key", phone="02155500001", call=_call("02155500001"))
    raised = await incidents.raise_alarm(new)
    async with store.read() as conn:
        row = (await conn.execute(select(call))).one()
        assert (row.id, row.kind, row.incident_id) == (raised.call_id, "emergency", raised.incident_id)
        line = (await conn.execute(select(leg).where(leg.c.role == "elder"))).one()
        assert (line.name, line.phone, line.state) == ("王秀英", "02155500001", "dialled")
        assert await conn.scalar(select(leg_attempt.c.uniqueid)) == "1.1"


async def test_same_call_told_twice_is_one_call(store: Store, incidents: SqlIncidents) -> None:
    new = NewAlarm("call", "one_key", phone="02155500001", call=_call("02155500001"), idempotency_key="node1/1.1")
    first = await incidents.raise_alarm(new)
    again = await incidents.raise_alarm(new)
    assert again.call_id == first.call_id
    async with store.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(leg_attempt)) == 1


async def test_spooled_call_must_be_looked_at(store: Store, incidents: SqlIncidents) -> None:
    """It came through the lifeline: nobody of us has heard it. His line is a leg: cut, or hung up, he is called."""
    new = NewAlarm("lifeline", "one_key", phone="02155500001", call=_call("02155500001"), needs_look=True)
    raised = await incidents.raise_alarm(new)
    assert (await _row(store, raised.incident_id)).needs_look
    async with store.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(leg_attempt)) == 1
    await incidents.looked_at(raised.incident_id, by="小李")
    await incidents.looked_at(raised.incident_id, by="小王")
    assert not (await _row(store, raised.incident_id)).needs_look
    assert (await _kinds(store)).count("incident.looked_at") == 1


async def test_closing(store: Store, incidents: SqlIncidents) -> None:
    with pytest.raises(UnknownIncident):
        await incidents.close("01HZZZZZZZZZZZZZZZZZZZZZZZ", by="小李", outcome="helped", reason="已处理，老人平安")
    raised = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1", needs_look=True))
    await incidents.close(raised.incident_id, by="小李", outcome="helped", reason="女儿已到家照看")
    row = await _row(store, raised.incident_id)
    assert (row.state, row.closed_by, row.outcome, row.reason) == ("closed", "小李", "helped", "女儿已到家照看")
    assert row.closed_at is not None
    assert not row.needs_look
    with pytest.raises(AlreadyClosed):
        await incidents.close(raised.incident_id, by="小王", outcome="helped", reason="再关一次")
    assert (await _kinds(store)).count("incident.closed") == 1
    closed = (await Journal(store).after(0))[-1]
    assert "reason" not in closed.data  # free text about a person stays out of the journal
