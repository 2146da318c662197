"""The storm's record, on both databases: one look, what the calls brought, and who may be closed together."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from ivr.domain.incident import ArrivedCall, NewAlarm, NotArrived, Outcome, Role
from ivr.domain.storm import Triage
from ivr.services.storm_ports import OpenIncident, StormLook
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.storm import SqlStorm
from ivr.store.tables import incident, leg_attempt
from ivr.store.wishes import SqlWishes

pytestmark = pytest.mark.usefixtures("town")


@pytest.fixture
def incidents(store: Store) -> SqlIncidents:
    return SqlIncidents(store)


@pytest.fixture
def records(store: Store) -> SqlStorm:
    return SqlStorm(store)


async def look(records: SqlStorm) -> StormLook:
    return await records.look(datetime.now(UTC))


async def only(records: SqlStorm) -> OpenIncident:
    (one,) = (await look(records)).open
    return one


async def asked(incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm, elder_no: str = "E1") -> tuple[str, str]:
    """An incident whose elder is being asked: (incident, attempt)."""
    raised = await incidents.raise_alarm(NewAlarm("api", "press", elder_no=elder_no))
    await records.await_asking([raised.incident_id])
    attempt = await legs.begin_attempt(raised.incident_id, Role.ELDER, f"1380000{elder_no[1:]:0>4}")
    assert attempt is not None
    await records.asked(raised.incident_id, attempt)
    return raised.incident_id, attempt


async def _row(store: Store, incident_id: str) -> Any:
    async with store.read() as conn:
        return (await conn.execute(select(incident).where(incident.c.id == incident_id))).one()


async def test_an_empty_look(records: SqlStorm) -> None:
    seen = await look(records)
    assert (seen.active, seen.forced, seen.open, seen.live, seen.alarms_last_min) == (False, None, [], [], 0)


async def test_numbers_begin_and_end_it_once(store: Store, records: SqlStorm) -> None:
    for active in (True, True, False, False):
        await records.set_active(active, waiting=9, alarms_last_min=3)
    assert [one.kind for one in await Journal(store).after(0)] == ["storm.began", "storm.ended"]


async def test_a_persons_word_is_kept_with_his_name(store: Store, records: SqlStorm) -> None:
    await records.switch(True, by="周强")
    seen = await look(records)
    assert (seen.active, seen.forced) == (True, True)
    await records.switch(None, by="周强")
    seen = await look(records)
    assert (seen.active, seen.forced) == (True, None), "by the numbers again: they end it"
    await records.switch(False, by="周强")
    kinds = [(one.kind, one.data.get("by")) for one in await Journal(store).after(0)]
    assert kinds == [
        ("storm.switched", "周强"), ("storm.began", "周强"), ("storm.switched", "周强"),
        ("storm.switched", "周强"), ("storm.ended", "周强"),
    ]  # fmt: skip


async def test_a_call_that_asks_is_seen_with_how_it_stands(
    incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    _, attempt = await asked(incidents, legs, records)
    one = await only(records)
    assert (one.triage, one.tries, one.attempt, one.attempt_ended_at) == (Triage.CALLING, 1, attempt, None)
    assert await records.is_asked(attempt)
    assert not await records.is_asked("01HZZZZZZZZZZZZZZZZZZZZZZZ")
    (leg,) = (await look(records)).live
    assert (leg.role, leg.came_to_us, leg.accepted) == (Role.ELDER, False, False)
    await legs.answered(attempt)
    await legs.ended(attempt, Outcome.HUNG_UP)
    one = await only(records)
    assert one.attempt_answered_at is not None
    assert one.attempt_ended_at is not None


async def test_what_he_says_is_his_place_in_the_order(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    risks = {}
    for elder_no, said in (("E1", Triage.SAFE), ("E2", Triage.SILENT), ("E3", Triage.HELP)):
        incident_id, attempt = await asked(incidents, legs, records, elder_no)
        assert await records.heard(attempt, said, hold_at_most=5) == (said is not Triage.SAFE)
        await records.heard(attempt, said, hold_at_most=5)
        row = await _row(store, incident_id)
        assert row.triage == said
        risks[said] = row.risk
    assert risks[Triage.HELP] > risks[Triage.SILENT] > risks[Triage.SAFE]
    told = [one.data["triage"] for one in await Journal(store).after(0) if one.kind == "incident.triaged"]
    assert told == ["safe", "silent", "help"], "once each"


async def test_no_more_lines_are_held_than_may_be(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    held = []
    for elder_no in ("E1", "E2", "E3", "E4"):
        _, attempt = await asked(incidents, legs, records, elder_no)
        holds = await records.heard(attempt, Triage.HELP, hold_at_most=2)
        held.append((holds, attempt))
    assert [holds for holds, _ in held] == [True, True, False, False], "before any of them is in the room too"
    await legs.ended(held[3][1], Outcome.HUNG_UP)
    async with store.read() as conn:
        ended = select(leg_attempt.c.outcome).where(leg_attempt.c.id == held[3][1])
        assert await conn.scalar(ended) == "talked", "he was told that he is called back"
    await legs.ended(held[0][1], Outcome.HUNG_UP)
    assert await records.heard(held[2][1], Triage.HELP, hold_at_most=2), "a line has come free"


async def test_a_call_without_an_answer_is_settled_and_a_lost_one_was_no_try(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    incident_id, attempt = await asked(incidents, legs, records)
    await legs.ended(attempt, Outcome.LOST)
    await records.settle(incident_id, attempt, Triage.PENDING)
    row = await _row(store, incident_id)
    assert (row.triage, row.triage_tries) == ("pending", 0)
    second = await legs.begin_attempt(incident_id, Role.ELDER, "13800000001")
    assert second is not None
    await records.asked(incident_id, second)
    await legs.ended(second, Outcome.NO_ANSWER)
    await records.settle(incident_id, attempt, Triage.NO_ANSWER)  # of the call before: too late
    assert (await _row(store, incident_id)).triage == "calling"
    await records.settle(incident_id, second, Triage.NO_ANSWER)
    row = await _row(store, incident_id)
    assert (row.triage, row.triage_tries) == ("no_answer", 1)


async def test_his_own_word_is_not_overwritten_by_the_end_of_the_call(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    incident_id, attempt = await asked(incidents, legs, records)
    await records.heard(attempt, Triage.SAFE, hold_at_most=5)
    await legs.ended(attempt, Outcome.HUNG_UP)
    await records.settle(incident_id, attempt, Triage.SILENT)
    assert (await _row(store, incident_id)).triage == "safe"


async def test_who_was_safe_and_cries_again_is_safe_no_more(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    incident_id, attempt = await asked(incidents, legs, records)
    await records.heard(attempt, Triage.SAFE, hold_at_most=5)
    await incidents.raise_alarm(NewAlarm("watch", "location", elder_no="E1", location={"lat": 1.0, "lng": 2.0}))
    assert (await _row(store, incident_id)).triage == "safe", "a location is no cry"
    before = (await _row(store, incident_id)).risk
    await incidents.raise_alarm(NewAlarm("pendant", "fall", elder_no="E1"))
    row = await _row(store, incident_id)
    assert (row.triage, row.triage_tries) == (None, 0)
    assert row.risk > before
    assert await records.close_safe(None, by="周强", outcome="safe", reason="已核实") == 0


async def test_who_telephones_himself_need_not_be_asked_and_goes_first(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    other, _ = await asked(incidents, legs, records, "E2")
    await records.settle(other, (await _row(store, other)).triage_attempt, Triage.HELP)
    raised = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))
    await records.await_asking([raised.incident_id])
    arrived = ArrivedCall("node1", "1.1", "1.1", "12349120", "02155500001")
    await incidents.raise_alarm(NewAlarm("call", "emergency_call", phone="02155500001", call=arrived))
    row = await _row(store, raised.incident_id)
    assert row.triage is None
    assert row.risk > (await _row(store, other)).risk
    (line,) = [leg for leg in (await look(records)).live if leg.incident_id == raised.incident_id]
    assert line.came_to_us


async def test_the_end_of_a_storm_leaves_nobody_to_be_asked(
    store: Store, incidents: SqlIncidents, records: SqlStorm
) -> None:
    await records.set_active(True, waiting=9, alarms_last_min=9)
    raised = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))
    await records.await_asking([raised.incident_id])
    await records.set_active(False, waiting=0, alarms_last_min=0)
    assert (await _row(store, raised.incident_id)).triage is None


async def test_who_has_been_with_a_person_is_known(incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm) -> None:
    raised = await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))
    attempt = await legs.begin_attempt(raised.incident_id, Role.AGENT, "1001")
    assert attempt is not None
    await legs.accept(attempt, only_first=True)
    await legs.ended(attempt, Outcome.TALKED)
    assert (await look(records)).served == {raised.incident_id}


async def asked_for(records: SqlStorm) -> bool:
    return (await only(records)).asked_for


async def test_a_wish_is_open_until_it_is_had_or_given_up(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    """A relative whom a person wants: nobody is sent, so that nothing is awaited afterwards."""
    one = (await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id
    assert not await asked_for(records)
    for outcome, tries in ((Outcome.NO_ANSWER, 3), (Outcome.DECLINED, 1), (None, 1)):
        await SqlWishes(store).want(one, Role.FAMILY, "13900000009", name="邻居", by="李娜")
        for _ in range(tries):
            assert await asked_for(records)
            attempt = await legs.begin_attempt(one, Role.FAMILY, "13900000009")
            assert attempt is not None
            assert await asked_for(records)
            if outcome is None:
                assert await legs.accept(attempt, only_first=False)
            await legs.ended(attempt, outcome or Outcome.TALKED)
        assert not await asked_for(records)


async def test_a_wish_that_is_tried_once_only_is_over_after_one_try(
    store: Store, incidents: SqlIncidents, legs: SqlLegs
) -> None:
    one = (await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id
    await SqlWishes(store, tries=1).want(one, Role.FAMILY, "13900000009", name="邻居", by="李娜")
    attempt = await legs.begin_attempt(one, Role.FAMILY, "13900000009")
    assert attempt is not None
    await legs.ended(attempt, Outcome.BUSY)
    assert await asked_for(SqlStorm(store))
    assert not await asked_for(SqlStorm(store, wish_tries=1))


async def test_who_was_sent_is_awaited_until_he_arrives(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    wishes = SqlWishes(store)
    one = (await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id
    await wishes.want(one, Role.HOSPITAL, "02162000000", name="医院", by="李娜")
    attempt = await legs.begin_attempt(one, Role.HOSPITAL, "02162000000")
    assert attempt is not None
    await legs.accept(attempt, only_first=False)
    await legs.ended(attempt, Outcome.TALKED)
    assert await asked_for(records), "he was reached and is on his way"
    await wishes.arrived(one, by="李娜", at=None)
    assert not await asked_for(records)
    await wishes.want_helper(one, by="李娜")
    assert await asked_for(records), "another one is looked for, though the first is there"
    offer = await wishes.offer_of(one)
    assert offer is not None
    await wishes.end_offer(offer.id, "exhausted")
    assert not await asked_for(records)


async def test_an_offer_that_is_over_leaves_somebody_on_his_way(
    store: Store, incidents: SqlIncidents, records: SqlStorm
) -> None:
    wishes = SqlWishes(store)
    one = (await incidents.raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id
    await wishes.want_helper(one, by="李娜")
    offer = await wishes.offer_of(one)
    assert offer is not None
    await wishes.end_offer(offer.id, "accepted")
    assert await asked_for(records)
    await wishes.arrived(one, by="李娜", at=None)
    assert not await asked_for(records)


async def test_a_worse_answer_is_a_cry_of_one_who_was_safe(
    incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    one, attempt = await asked(incidents, legs, records)
    await records.heard(attempt, Triage.SAFE, hold_at_most=5)
    assert not (await only(records)).family_started
    await incidents.worsened(one, "distress")
    now = await only(records)
    assert now.triage is None
    assert now.family_started


async def test_close_those_who_are_safe(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    safe, attempt = await asked(incidents, legs, records)
    await records.heard(attempt, Triage.SAFE, hold_at_most=5)
    need, attempt = await asked(incidents, legs, records, "E2")
    await records.heard(attempt, Triage.HELP, hold_at_most=5)
    assert await records.close_safe([need], by="周强", outcome="safe", reason="已核实") == 0
    assert await records.close_safe(None, by="周强", outcome="safe", reason="已核实") == 1
    row = await _row(store, safe)
    assert (row.state, row.closed_by, row.outcome, row.reason) == ("closed", "周强", "safe", "已核实")
    assert (await _row(store, need)).state == "open"


async def test_whom_somebody_was_sent_to_is_not_closed_in_bulk_with_a_word(
    store: Store, incidents: SqlIncidents, legs: SqlLegs, records: SqlStorm
) -> None:
    rooms = []
    for elder_no in ("E1", "E2"):
        room, attempt = await asked(incidents, legs, records, elder_no)
        await records.heard(attempt, Triage.SAFE, hold_at_most=5)
        rooms.append(room)
    await SqlWishes(store).want_helper(rooms[1], by="李娜")
    for reason in ("已核实", "平平平平平平平"):
        with pytest.raises(NotArrived):
            await records.close_safe(None, by="周强", outcome="safe", reason=reason)
    assert set(await incidents.open_ids()) == set(rooms), "none of them is closed"
    assert await records.close_safe(rooms[:1], by="周强", outcome="safe", reason="已核实") == 1
    assert await records.close_safe(None, by="周强", outcome="safe", reason="已核实，护理员折返") == 1
