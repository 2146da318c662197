"""Wishes, offers and arrivals on record: once, durable, and nobody accepted twice for one offer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from ivr.domain.incident import AlreadyClosed, LegState, LegView, NewAlarm, Outcome, Role, UnknownElder, UnknownIncident
from ivr.store import helpers
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.tables import elder, hospital, incident, worker
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes

ONE, TWO, DAUGHTER = "13700000001", "13700000002", "13900000001"


@pytest.fixture
def wishes(store: Store) -> SqlWishes:
    return SqlWishes(store)


@pytest.fixture
async def incident_id(store: Store, town: None) -> str:
    def change(tx: Tx) -> None:
        home = {"lat": 31.2, "lng": 121.4, "district": "静安区", "helper_no": "W2"}
        tx.conn.execute(update(elder).where(elder.c.elder_no == "E1").values(**home))
        rows: list[dict[str, Any]] = [
            {"worker_no": "W1", "name": "近", "phone": ONE, "skills": "护理；急救员", "lat": 31.21, "lng": 121.4},
            {"worker_no": "W2", "name": "自己的", "phone": TWO, "skills": None, "lat": None, "lng": None},
        ]
        tx.conn.execute(insert(worker), rows)
        tx.conn.execute(insert(hospital).values(name="静安医院", phone="02155520001", district="静安区、虹口区"))

    await store.write(change)
    return (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id


async def _leg(legs: SqlLegs, incident_id: str, phone: str) -> LegView:
    view = await legs.view(incident_id, datetime.now(UTC))
    assert view is not None
    (found,) = [one for one in view.legs if one.phone == phone]
    return found


async def _kinds(store: Store, incident_id: str) -> list[str]:
    return [one.kind for one in await Journal(store).after(0, incident_id=incident_id)][1:]


async def test_a_wish_is_on_record_once_while_it_lives_and_anew_after_it_failed(
    store: Store, legs: SqlLegs, wishes: SqlWishes, incident_id: str
) -> None:
    async def want() -> Any:
        return await wishes.want(incident_id, Role.WORKER, ONE, name="近", by="李娜", worker_no="W1")

    first, *others = await asyncio.gather(*(want() for _ in range(5)))
    assert [one.repeated for one in others] == [True] * 4
    assert {one.leg_id for one in others} == {first.leg_id}
    leg = await _leg(legs, incident_id, ONE)
    assert (leg.state, leg.live) == (LegState.WAITING, False)
    assert leg.wish is not None
    assert (leg.wish.attempts, leg.wish.offer_id) == (0, None)
    for tried in (1, 2, 3):
        attempt = await legs.begin_attempt(incident_id, Role.WORKER, ONE)
        assert attempt is not None
        assert (await want()).repeated, "being dialled"
        await legs.ended(attempt, Outcome.BUSY)
        leg = await _leg(legs, incident_id, ONE)
        assert leg.wish is not None
        assert leg.wish.attempts == tried
        if tried < 3:
            assert (await want()).repeated, "will be dialled again"
    await wishes.failed(incident_id, first.leg_id)
    await wishes.failed(incident_id, first.leg_id)
    assert (await _kinds(store, incident_id)).count("leg.given_up") == 1
    assert not (await want()).repeated
    leg = await _leg(legs, incident_id, ONE)
    assert leg.wish is not None
    assert leg.wish.attempts == 0, "what was before a wish does not count"
    assert (await _kinds(store, incident_id)).count("leg.wanted") == 2


async def test_a_lost_attempt_is_none_and_an_accepted_one_fulfils_the_wish(
    legs: SqlLegs, wishes: SqlWishes, incident_id: str
) -> None:
    await wishes.want(incident_id, Role.HOSPITAL, "02155520001", name="静安医院", by="李娜")
    attempt = await legs.begin_attempt(incident_id, Role.HOSPITAL, "02155520001")
    assert attempt
    await legs.accept(attempt, only_first=False)
    await legs.ended(attempt, Outcome.LOST, torn=True)
    wish = (await _leg(legs, incident_id, "02155520001")).wish
    assert wish is not None
    assert (wish.attempts, wish.lost, wish.accepted) == (0, 1, False)
    attempt = await legs.begin_attempt(incident_id, Role.HOSPITAL, "02155520001")
    assert attempt
    await legs.accept(attempt, only_first=False)
    await legs.ended(attempt, Outcome.TALKED)
    wish = (await _leg(legs, incident_id, "02155520001")).wish
    assert wish is not None
    assert wish.accepted
    again = await wishes.want(incident_id, Role.HOSPITAL, "02155520001", name="静安医院", by="李娜")
    assert not again.repeated, "a person may call them once more"


async def test_a_closed_or_unknown_incident_takes_no_wish(store: Store, wishes: SqlWishes, incident_id: str) -> None:
    with pytest.raises(UnknownIncident):
        await wishes.want("01HZZZZZZZZZZZZZZZZZZZZZZZ", Role.WORKER, ONE, name="", by="x")
    await SqlIncidents(store).close(incident_id, by="x", outcome="test", reason="x")
    for deed in (
        wishes.want(incident_id, Role.WORKER, ONE, name="", by="x"),
        wishes.want_helper(incident_id, by="x"),
        wishes.arrived(incident_id, by="x", at=None),
    ):
        with pytest.raises(AlreadyClosed):
            await deed


async def test_one_offer_at_a_time_and_only_one_worker_of_it(
    store: Store, legs: SqlLegs, wishes: SqlWishes, incident_id: str
) -> None:
    assert await wishes.offer_of(incident_id) is None
    assert sorted(await asyncio.gather(*(wishes.want_helper(incident_id, by="李娜") for _ in range(4)))) == [
        False, False, False, True,
    ]  # fmt: skip
    offer = await wishes.offer_of(incident_id)
    assert offer is not None
    attempts = []
    for number, phone in (("W1", ONE), ("W2", TWO)):
        await wishes.want(incident_id, Role.WORKER, phone, name=number, by="offer", worker_no=number, offer_id=offer.id)
        attempts.append(await legs.begin_attempt(incident_id, Role.WORKER, phone))
    assert all(attempts)
    said = await asyncio.gather(*(legs.accept(one or "", only_first=False) for one in attempts))
    assert sorted(said) == [False, True], "whoever is second is told that a colleague goes"
    taken = attempts[said.index(True)]
    await legs.ended(taken or "", Outcome.TALKED)
    other = attempts[said.index(False)] or ""
    assert not await legs.accept(other, only_first=False), "he is on his way, though he has hung up"
    # A person wants the other one as well: then he may come.
    await wishes.want(incident_id, Role.WORKER, (ONE, TWO)[said.index(False)], name="", by="李娜")
    assert await legs.accept(other, only_first=False)
    await wishes.end_offer(offer.id, "accepted")
    await wishes.end_offer(offer.id, "exhausted")
    assert await wishes.offer_of(incident_id) is None
    assert "incident.escalated" not in await _kinds(store, incident_id)
    assert await wishes.want_helper(incident_id, by="李娜", skill="急救"), "a new one, for somebody else"
    assert await wishes.was_offered(incident_id)


async def test_an_offer_that_found_nobody_is_told_to_the_screen_once(
    store: Store, wishes: SqlWishes, incident_id: str
) -> None:
    await wishes.want_helper(incident_id, by="李娜")
    offer = await wishes.offer_of(incident_id)
    assert offer
    for _ in range(2):
        await wishes.end_offer(offer.id, "exhausted")
    events = await Journal(store).after(0, incident_id=incident_id)
    assert [one.data["why"] for one in events if one.kind == "incident.escalated"] == ["worker_not_reached"]


async def test_the_ranking_is_read_from_what_is_on_record(
    store: Store, legs: SqlLegs, wishes: SqlWishes, incident_id: str
) -> None:
    candidates = await wishes.candidates(incident_id, None)
    assert [one.worker_no for one in candidates] == ["W2", "W1"], "the bound one first"
    attempt = await legs.begin_attempt(incident_id, Role.WORKER, TWO)
    assert attempt
    await legs.declined(attempt)
    await legs.ended(attempt, Outcome.HUNG_UP)
    assert [one.worker_no for one in await wishes.candidates(incident_id, None)] == ["W1"]
    ranked, houses = await store.look(lambda conn: helpers.ranking(conn, incident_id, "急救"))
    assert [one.key for one in ranked] == ["W1", "W2"], "shown all the same"
    assert "已拒绝 declined" in ranked[1].reasons
    assert ranked[0].distance_km == pytest.approx(1.11, abs=0.01)
    assert "本区签约 contracted for the district" in houses[0].reasons
    # Another incident has him: a machine does not ring him, until somebody has arrived there.
    other = (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E2"))).incident_id
    taken = await legs.begin_attempt(other, Role.WORKER, ONE)
    assert taken
    await legs.accept(taken, only_first=False)
    await legs.ended(taken, Outcome.TALKED)
    assert await wishes.candidates(incident_id, None) == []
    await wishes.arrived(other, by="近", at=None)
    assert [one.worker_no for one in await wishes.candidates(incident_id, None)] == ["W1"]
    assert await store.look(lambda conn: helpers.ranking(conn, "01HZZZZZZZZZZZZZZZZZZZZZZZ")) == ([], [])


@pytest.mark.parametrize(
    "location",
    [{"lat": "31.25", "lng": 121.4}, {"lat": 31.25, "lng": 121.4, "text": "公园"}, {"lat": "x", "lng": 1}, {}],
)
async def test_where_he_is_comes_before_where_he_lives_whatever_a_device_writes(
    store: Store, incident_id: str, location: dict[str, Any]
) -> None:
    new = NewAlarm("watch", "sos", elder_no="E1", location=location or None)
    await SqlIncidents(store).raise_alarm(new)
    need = await store.look(lambda conn: helpers.need_of(conn, incident_id))
    assert need is not None
    assert need.where is not None
    assert need.where.lat == (31.25 if str(location.get("lat")) == "31.25" else 31.2)
    assert set(need.heard) == {"press", "sos"}


async def test_arrival_is_on_record_once_and_nobody_arrives_in_the_future(
    store: Store, wishes: SqlWishes, incident_id: str
) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=8)
    assert await wishes.arrived(incident_id, by="近", at=ahead, worker_no="W1")
    assert not await wishes.arrived(incident_id, by="别人", at=datetime.now(UTC))
    async with store.read() as conn:
        row = (await conn.execute(select(incident).where(incident.c.id == incident_id))).one()
    assert row.arrived_by == "近"
    assert row.arrived_at <= datetime.now(UTC)
    told = [one for one in await Journal(store).after(0, incident_id=incident_id) if one.kind == "incident.arrived"]
    assert [one.data["worker_no"] for one in told] == ["W1"]


async def test_a_helper_is_bound_and_unbound(store: Store, wishes: SqlWishes, incident_id: str) -> None:
    await wishes.bind("E1", "W1", by="周强")
    assert (await wishes.candidates(incident_id, None))[0].worker_no == "W1"
    await wishes.bind("E1", None, by="周强")
    need = await store.look(lambda conn: helpers.need_of(conn, incident_id))
    assert need is not None
    assert need.helper_no is None
    with pytest.raises(UnknownElder):
        await wishes.bind("nobody", "W1", by="周强")


async def test_a_relative_who_is_rung_already_and_is_wanted_is_nobody_elses_to_stop(
    legs: SqlLegs, wishes: SqlWishes, incident_id: str
) -> None:
    await legs.begin_attempt(incident_id, Role.FAMILY, DAUGHTER)
    assert (await _leg(legs, incident_id, DAUGHTER)).wish is None
    wanted = await wishes.want(incident_id, Role.FAMILY, DAUGHTER, name="女儿", by="李娜")
    assert wanted.repeated
    wish = (await _leg(legs, incident_id, DAUGHTER)).wish
    assert wish is not None
    assert wish.attempts == 1


async def test_the_hospital_of_the_district_before_any_other(store: Store, wishes: SqlWishes, incident_id: str) -> None:
    def another(tx: Tx) -> None:
        # Nearer, and of another district.
        values = {"name": "近处医院", "phone": "02155520002", "district": "浦东新区", "lat": 31.2, "lng": 121.4}
        tx.conn.execute(insert(hospital).values(**values))

    await store.write(another)
    contracted = frozenset({"02155520001"})
    assert await wishes.hospital_for(incident_id, contracted=True) == ("静安医院", "02155520001")
    assert await wishes.hospital_for(incident_id, contracted=True, without=contracted) is None
    assert await wishes.hospital_for(incident_id, contracted=False, without=contracted) == ("近处医院", "02155520002")
