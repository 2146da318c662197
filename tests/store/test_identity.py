"""A person says who the elder is, on both databases: what was unknown works from then on as if it had been known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ivr.domain.incident import AlreadyClosed, ArrivedCall, NewAlarm, Role, UnknownElder, UnknownIncident
from ivr.store import helpers
from ivr.store.db import Store
from ivr.store.identity import SqlIdentity
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.tables import call, elder, hospital, incident, package
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes

pytestmark = pytest.mark.usefixtures("town")

STRANGER, SHARED = "18800001111", "02155500002"
CHILD_1, CHILD_2 = "13900000001", "13900000002"
SON, NIECE = "13900000003", "13900000004"


@pytest.fixture
def incidents(store: Store) -> SqlIncidents:
    return SqlIncidents(store)


@pytest.fixture
def identity(other: Store) -> SqlIdentity:
    """As the console has it."""
    return SqlIdentity(other)


async def called(incidents: SqlIncidents, number: str, uniqueid: str = "1.1") -> str:
    arrived = ArrivedCall("node1", uniqueid, uniqueid, "12349120", number)
    new = NewAlarm("call", "emergency_call", phone=number, call=arrived, idempotency_key=f"call:node1:{uniqueid}")
    return (await incidents.raise_alarm(new)).incident_id


async def row_of(store: Store, incident_id: str) -> Any:
    async with store.read() as conn:
        return (await conn.execute(select(incident).where(incident.c.id == incident_id))).one()


async def relatives(legs: SqlLegs, incident_id: str) -> dict[str, bool]:
    """Phone -> whether he is this elder's."""
    view = await legs.view(incident_id, datetime.now(UTC))
    assert view is not None
    return {leg.phone: not leg.is_not_his for leg in view.of(Role.FAMILY)}


async def told(store: Store) -> list[dict[str, Any]]:
    return [one.data for one in await Journal(store).after(0) if one.kind == "incident.identified"]


async def test_an_unknown_caller_who_is_named_has_family_file_helper_and_consent(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, identity: SqlIdentity
) -> None:
    def change(tx: Tx) -> None:
        tx.conn.execute(
            update(elder).where(elder.c.elder_no == "E1").values(consent_hospital=True, helper_no="W7", district="静安")
        )

    await store.write(change)
    room = await called(incidents, STRANGER)
    before = await legs.view(room, datetime.now(UTC))
    assert before is not None
    assert (before.of(Role.FAMILY), before.hospital_allowed) == ([], False)
    assert await identity.name_elder(room, "E1", by="李娜")
    after = await legs.view(room, datetime.now(UTC))
    assert after is not None
    assert [leg.phone for leg in after.of(Role.FAMILY)] == [CHILD_1, CHILD_2]
    assert after.hospital_allowed, "the elder's own consent counts now"
    assert after.elder_phone == STRANGER, "he is called where he called from"
    async with store.read() as conn:
        need = await conn.run_sync(helpers.need_of, room)
        assert await conn.scalar(select(call.c.elder_no).where(call.c.incident_id == room)) == "E1"
    assert need is not None
    assert (need.helper_no, need.district) == ("W7", "静安")
    assert await told(store) == [{"elder_no": "E1", "by": "李娜"}]
    joined = await incidents.raise_alarm(NewAlarm("pendant", "press", device_id="D1"))
    assert joined.incident_id == room, "his pendant is part of it"


async def test_naming_the_same_again_changes_nothing(
    store: Store, incidents: SqlIncidents, identity: SqlIdentity
) -> None:
    room = await called(incidents, STRANGER)
    assert [await identity.name_elder(room, "E1", by="李娜") for _ in range(3)] == [True, False, False]
    assert len(await told(store)) == 1


async def test_of_a_shared_number_only_the_named_ones_relatives_are_left(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, identity: SqlIdentity
) -> None:
    room = await called(incidents, SHARED)
    assert set(await relatives(legs, room)) == {SON, NIECE}
    await identity.name_elder(room, "E2", by="李娜")
    assert await relatives(legs, room) == {SON: True}, "she was never dialled"
    row = await row_of(store, room)
    assert (row.elder_no, row.elder_choices) == ("E2", ["E2"])
    assert await called(incidents, SHARED, "1.2") == room
    assert await relatives(legs, room) == {SON: True}, "a second call from that telephone does not bring her back"


async def test_a_relative_who_rings_for_another_elder_is_stopped_and_not_let_in(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, identity: SqlIdentity
) -> None:
    room = await called(incidents, SHARED)
    attempt = await legs.begin_attempt(room, Role.FAMILY, NIECE)
    assert attempt is not None
    await identity.name_elder(room, "E2", by="李娜")
    assert await relatives(legs, room) == {SON: True, NIECE: False}
    assert not await legs.accept(attempt, only_first=False)
    await identity.name_elder(room, "E3", by="李娜")
    assert await relatives(legs, room) == {SON: True, NIECE: True}, "hers after all"
    assert await legs.accept(attempt, only_first=False)
    assert await told(store) == [{"elder_no": "E2", "by": "李娜"}, {"elder_no": "E3", "by": "李娜", "was": "E2"}]


async def test_a_mistake_is_corrected_and_the_hospital_hears_of_it(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, identity: SqlIdentity
) -> None:
    def change(tx: Tx) -> None:
        house = {"name": "静安医院", "phone": "02155520001"}
        tx.conn.execute(insert(hospital).values(**house, endpoint="https://h.example/x", push_secret="s" * 16))

    await store.write(change)
    room = await called(incidents, STRANGER)
    await identity.name_elder(room, "E4", by="李娜")
    assert await relatives(legs, room) == {}
    await SqlWishes(store).want(room, Role.HOSPITAL, "02155520001", name="静安医院", by="李娜")
    await store.write(lambda tx: tx.conn.execute(update(package).values(state="sent")))
    await identity.name_elder(room, "E1", by="周强")
    assert set(await relatives(legs, room)) == {CHILD_1, CHILD_2}
    async with store.read() as conn:
        sent = (await conn.execute(select(package.c.number, package.c.state).order_by(package.c.number))).all()
    assert [tuple(one) for one in sent] == [(1, "sent"), (2, "queued")], "one with the right patient follows"


async def test_nobody_and_nothing_that_is_not_there(incidents: SqlIncidents, identity: SqlIdentity) -> None:
    room = await called(incidents, STRANGER)
    with pytest.raises(UnknownElder):
        await identity.name_elder(room, "E99", by="李娜")
    with pytest.raises(UnknownIncident):
        await identity.name_elder("01HZZZZZZZZZZZZZZZZZZZZZZZ", "E1", by="李娜")
    await incidents.close(room, by="李娜", outcome="helped", reason="女儿已到家里，老人没事")
    with pytest.raises(AlreadyClosed):
        await identity.name_elder(room, "E1", by="李娜")
