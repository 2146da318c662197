"""What was heard of a call: only ids, only upward."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from ivr.domain.incident import ArrivedCall
from ivr.services.incident_desk import call_alarm
from ivr.services.ports import HeardCall
from ivr.store.calls import SqlCalls
from ivr.store.db import Store
from ivr.store.heard import SqlHeard
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.tables import call, ticket
from ivr.store.tickets import SqlTickets

pytestmark = pytest.mark.usefixtures("town")
ARRIVED = ArrivedCall("node1", "1.1", "1.1", "12349", "02155500001")


@pytest.fixture
def heard(store: Store) -> SqlHeard:
    return SqlHeard(store, "node1")


async def begin(store: Store, heard: SqlHeard) -> HeardCall:
    await SqlTickets(store).open_for_call(ARRIVED)
    found = await heard.waiting("1.1")
    assert found is not None
    assert found.arrived == ARRIVED
    return found


async def cries(store: Store) -> str:
    return (await SqlIncidents(store).raise_alarm(call_alarm(ARRIVED, source="listening"))).incident_id


async def category(store: Store) -> str | None:
    async with store.read() as conn:
        return (await conn.execute(select(ticket.c.category))).scalar_one()


async def test_a_service_fills_an_empty_category_and_never_a_persons_choice(store: Store, heard: SqlHeard) -> None:
    found = await begin(store, heard)
    await heard.heard(found, "service.meal", 90, category=True)
    assert await category(store) == "service.meal"
    await store.write(lambda tx: tx.conn.execute(update(ticket).values(category="chosen")) and None)
    await heard.heard(found, "service.bath", 90, category=True)
    assert await category(store) == "chosen"
    told = [event for event in await Journal(store).after(0) if event.kind == "speech.heard"]
    assert [event.data for event in told] == [
        {"meaning": "service.meal", "score": 90},
        {"meaning": "service.bath", "score": 90},
    ]
    assert {event.call_id for event in told} == {found.id}


async def test_what_was_asked_for_is_known_to_who_asks_next(store: Store, heard: SqlHeard) -> None:
    found = await begin(store, heard)
    assert found.wish is None
    await heard.heard(found, "service.meal", 90, category=True)
    again = await heard.waiting("1.1")
    assert again is not None
    assert again.wish == "service.meal"


async def test_what_is_no_service_is_only_journalled(store: Store, heard: SqlHeard) -> None:
    await heard.heard(await begin(store, heard), "person.son", 80, category=False)
    assert await category(store) is None


async def test_nobody_waits_who_is_with_a_person_or_gone_or_an_emergency(store: Store, heard: SqlHeard) -> None:
    await begin(store, heard)
    assert await heard.waiting("9.9") is None
    assert await SqlHeard(store, "node2").waiting("1.1") is None
    incident_id = await cries(store)
    assert await heard.waiting("1.1") is None
    async with store.read() as conn:
        row = (await conn.execute(select(call))).one()
    assert (row.kind, row.incident_id, row.outcome) == ("emergency", incident_id, "emergency")


async def test_what_made_a_call_an_incident_stands_in_the_incidents_record(store: Store, heard: SqlHeard) -> None:
    found = await begin(store, heard)
    await heard.heard(found, "service.meal", 90, category=True)
    incident_id = await cries(store)
    await heard.heard(found, "distress.fall", 95, category=False)
    told = [event for event in await Journal(store).after(0) if event.kind == "speech.heard"]
    assert [(event.incident_id, event.data["meaning"]) for event in told] == [
        (None, "service.meal"),
        (incident_id, "distress.fall"),
    ]


async def test_a_connected_caller_does_not_wait(store: Store, heard: SqlHeard) -> None:
    await begin(store, heard)
    await SqlCalls(store, "node1").connected("1.1", "1001", 3)
    assert await heard.waiting("1.1") is None


async def test_leaving_the_queue_for_a_room_is_not_giving_up(store: Store, heard: SqlHeard) -> None:
    await begin(store, heard)
    await cries(store)
    calls = SqlCalls(store, "node1")
    await calls.abandoned("1.1", 5)
    await calls.ended("1.1")
    async with store.read() as conn:
        row = (await conn.execute(select(ticket))).one()
    assert (row.outcome, row.call_back) == ("emergency", False)
