"""Legs and attempts: written before Asterisk is told, one live attempt each, and outcomes by rule."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from ivr.domain.incident import LegState, NewAlarm, Outcome, Role
from ivr.store.db import Store
from ivr.store.incident_view import CHINA
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from tests.store.leg_steps import DAUGHTER, begin, leg_of


@pytest.fixture
async def incident_id(store: Store, town: None) -> str:
    return (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id


async def _kinds(store: Store, incident_id: str) -> list[str]:
    return [one.kind for one in await Journal(store).after(0, incident_id=incident_id)][1:]


async def test_view_has_family_in_wait_and_the_elders_phone(legs: SqlLegs, incident_id: str) -> None:
    at_night = datetime.now(CHINA).replace(hour=23, minute=0)
    view = await legs.view(incident_id, at_night)
    assert view is not None
    assert (view.closed, view.elder_phone) == (False, "02155500001")
    assert [(one.phone, one.priority, one.state, one.available) for one in view.of(Role.FAMILY)] == [
        (DAUGHTER, 1, LegState.WAITING, True),
        ("13900000002", 2, LegState.WAITING, False),  # 08:00 to 20:00
    ]
    at_noon = at_night.replace(hour=12)
    view = await legs.view(incident_id, at_noon)
    assert view is not None
    assert all(one.available for one in view.of(Role.FAMILY))
    assert await legs.view("01HZZZZZZZZZZZZZZZZZZZZZZZ", at_noon) is None


async def test_hours_count_when_two_elders_share_the_number(store: Store, legs: SqlLegs, town: None) -> None:
    def hours(tx: object) -> None:
        tx.conn.exec_driver_sql("UPDATE contact SET available_from='08:00', available_to='20:00' WHERE id='C4'")  # type: ignore[attr-defined]

    await store.write(hours)
    raised = await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500002"))
    view = await legs.view(raised.incident_id, datetime.now(CHINA).replace(hour=3))
    assert view is not None
    assert {one.phone: one.available for one in view.legs} == {"13900000003": True, "13900000004": False}


async def test_an_attempt_from_dial_to_talk(store: Store, legs: SqlLegs, incident_id: str) -> None:
    attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert (await leg_of(legs, incident_id, DAUGHTER)).state is LegState.DIALLED
    assert list(await legs.live()) == [attempt]
    assert await legs.describe(attempt) == (Role.FAMILY, incident_id)
    for _ in range(2):  # Asterisk may say everything twice
        await legs.ringing(attempt)
        await legs.answered(attempt)
        assert await legs.accept(attempt, only_first=False)
    found = await leg_of(legs, incident_id, DAUGHTER)
    assert (found.state, found.live, found.ever_accepted) == (LegState.ACCEPTED, True, True)
    assert found.dialled_at is not None
    assert found.answered_at is not None
    assert found.accepted_at is not None
    assert await legs.ended(attempt, Outcome.HUNG_UP, cause=16) == incident_id
    assert await legs.ended(attempt, Outcome.HUNG_UP, cause=16) is None
    found = await leg_of(legs, incident_id, DAUGHTER)
    assert (found.state, found.live, found.outcome) == (LegState.ENDED, False, Outcome.TALKED)
    assert await legs.live() == {}
    told = [f"leg.{word}" for word in ("dialled", "ringing", "answered", "accepted", "ended")]
    assert await _kinds(store, incident_id) == told


async def test_begin_is_refused_while_live_and_after_closing(store: Store, legs: SqlLegs, incident_id: str) -> None:
    attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.begin_attempt(incident_id, Role.FAMILY, DAUGHTER) is None
    await legs.ended(attempt, Outcome.NO_ANSWER)
    second = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert second != attempt
    await legs.ended(second, Outcome.BUSY)
    found = await leg_of(legs, incident_id, DAUGHTER)
    assert (found.attempts, found.attempt_id, found.outcome) == (2, second, Outcome.BUSY)
    await SqlIncidents(store).close(incident_id, by="小李", outcome="test", reason="好了")
    assert await legs.begin_attempt(incident_id, Role.FAMILY, DAUGHTER) is None
    assert await legs.begin_attempt("01HZZZZZZZZZZZZZZZZZZZZZZZ", Role.FAMILY, DAUGHTER) is None
    view = await legs.view(incident_id, datetime.now(UTC))
    assert view is not None
    assert view.closed


async def test_one_live_attempt_when_two_engines_dial_at_once(store: Store, other: Store, incident_id: str) -> None:
    engines = [SqlLegs(store, "node1", "engine-1"), SqlLegs(other, "node1", "engine-2")]
    for phone in (DAUGHTER, "1001", "1002"):
        role = Role.FAMILY if phone == DAUGHTER else Role.AGENT
        begun = await asyncio.gather(
            *(one.begin_attempt(incident_id, role, phone) for one in engines for _ in range(5))
        )
        assert sum(one is not None for one in begun) == 1


async def test_only_the_first_of_five_agents_wins(store: Store, other: Store, incident_id: str) -> None:
    engines = [SqlLegs(store, "node1", "engine-1"), SqlLegs(other, "node1", "engine-2")]
    attempts = [await begin(engines[0], incident_id, Role.AGENT, f"100{n}") for n in range(1, 6)]
    won = await asyncio.gather(*(engines[n % 2].accept(attempt, only_first=True) for n, attempt in enumerate(attempts)))
    assert sum(won) == 1
    winner = attempts[won.index(True)]
    assert await engines[0].accept(winner, only_first=True), "told twice, still the winner"
    loser = attempts[won.index(False)]
    assert not await engines[0].accept(loser, only_first=True)
    await engines[0].ended(winner, Outcome.HUNG_UP)
    assert not await engines[0].accept(winner, only_first=True), "gone is gone"
    assert await engines[0].accept(loser, only_first=True), "the seat in the room is free again"


async def test_family_does_not_take_the_agents_place(legs: SqlLegs, incident_id: str) -> None:
    family = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(family, only_first=False)
    agent = await begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.accept(agent, only_first=True)
    duty = await begin(legs, incident_id, Role.SUPERVISOR, "13700000000")
    assert not await legs.accept(duty, only_first=True)


@pytest.mark.parametrize(
    ("role", "answered", "said", "asterisk", "kept"),
    [
        (Role.FAMILY, False, None, Outcome.BUSY, Outcome.BUSY),
        (Role.FAMILY, False, None, Outcome.NO_ANSWER, Outcome.NO_ANSWER),
        (Role.FAMILY, False, None, Outcome.UNREACHABLE, Outcome.UNREACHABLE),
        (Role.FAMILY, True, None, Outcome.HUNG_UP, Outcome.NOT_CONFIRMED),  # a voicemail, a child
        (Role.FAMILY, True, Outcome.DECLINED, Outcome.HUNG_UP, Outcome.DECLINED),
        (Role.FAMILY, True, Outcome.CANCELLED, Outcome.HUNG_UP, Outcome.CANCELLED),
        (Role.FAMILY, False, Outcome.CANCELLED, Outcome.NO_ANSWER, Outcome.CANCELLED),
        (Role.FAMILY, True, None, Outcome.LOST, Outcome.LOST),
        (Role.FAMILY, False, None, Outcome.LOST, Outcome.LOST),
        (Role.AGENT, True, None, Outcome.HUNG_UP, Outcome.HUNG_UP),
        (Role.AGENT, False, Outcome.CANCELLED, Outcome.NO_ANSWER, Outcome.CANCELLED),
        (Role.ELDER, True, None, Outcome.HUNG_UP, Outcome.HUNG_UP),
        (Role.SUPERVISOR, True, None, Outcome.HUNG_UP, Outcome.HUNG_UP),
    ],
)
async def test_outcome(
    legs: SqlLegs, incident_id: str, role: Role, answered: bool, said: Outcome | None, asterisk: Outcome, kept: Outcome
) -> None:
    phone = DAUGHTER if role is Role.FAMILY else "1001"
    attempt = await begin(legs, incident_id, role, phone)
    if answered:
        await legs.answered(attempt)
    if said is Outcome.DECLINED:
        await legs.declined(attempt)
    elif said:
        await legs.mark(attempt, said)
    await legs.ended(attempt, asterisk)
    found = await leg_of(legs, incident_id, phone)
    assert (found.outcome, found.live) == (kept, False)
    counts = kept is not Outcome.LOST
    assert (found.attempts, found.lost) == ((1, 0) if counts else (0, 1))


async def test_who_talked_has_talked_whatever_came_after(legs: SqlLegs, incident_id: str) -> None:
    for end in (Outcome.HUNG_UP, Outcome.LOST, Outcome.CANCELLED):
        attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
        assert await legs.accept(attempt, only_first=False)
        await legs.mark(attempt, Outcome.CANCELLED)
        await legs.ended(attempt, end)
        assert (await leg_of(legs, incident_id, DAUGHTER)).outcome is Outcome.TALKED


async def test_first_word_about_the_end_stands(legs: SqlLegs, incident_id: str) -> None:
    attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    await legs.answered(attempt)
    await legs.declined(attempt)
    await legs.mark(attempt, Outcome.CANCELLED)
    await legs.ended(attempt, Outcome.HUNG_UP)
    assert (await leg_of(legs, incident_id, DAUGHTER)).outcome is Outcome.DECLINED


async def test_late_news_changes_nothing(store: Store, legs: SqlLegs, incident_id: str) -> None:
    """Asterisk's events and the engine's own steps may cross."""
    attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    await legs.answered(attempt)
    await legs.ringing(attempt)
    assert (await leg_of(legs, incident_id, DAUGHTER)).state is LegState.ANSWERED
    await legs.ended(attempt, Outcome.HUNG_UP)
    before = await _kinds(store, incident_id)
    await legs.answered(attempt)
    await legs.ringing(attempt)
    assert not await legs.accept(attempt, only_first=False)
    assert await _kinds(store, incident_id) == before
    assert (await leg_of(legs, incident_id, DAUGHTER)).state is LegState.ENDED


async def test_strangers_and_other_nodes_are_not_ours(store: Store, legs: SqlLegs, incident_id: str) -> None:
    attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    elsewhere = SqlLegs(store, "node2", "engine-9")
    for one, uniqueid in ((legs, "1.999"), (elsewhere, attempt)):
        await one.ringing(uniqueid)
        await one.answered(uniqueid)
        await one.declined(uniqueid)
        assert not await one.accept(uniqueid, only_first=True)
        assert await one.ended(uniqueid, Outcome.FAILED) is None
        assert await one.describe(uniqueid) is None
    assert await elsewhere.live() == {}
    assert (await leg_of(legs, incident_id, DAUGHTER)).state is LegState.DIALLED


async def test_a_refusal_of_the_network_costs_a_relative_no_round_and_not_for_ever(
    legs: SqlLegs, incident_id: str
) -> None:
    counted = []
    for _ in range(5):
        await legs.ended(await begin(legs, incident_id, Role.FAMILY, DAUGHTER), Outcome.FAILED)
        counted.append((await leg_of(legs, incident_id, DAUGHTER)).attempts)
    assert counted == [0, 0, 0, 1, 2]
    await legs.ended(await begin(legs, incident_id, Role.SUPERVISOR, "13700000000"), Outcome.FAILED)
    assert (await leg_of(legs, incident_id, "13700000000")).attempts == 1


async def test_nobody_is_accepted_into_a_closed_incident(store: Store, legs: SqlLegs, incident_id: str) -> None:
    daughter = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    await SqlIncidents(store).close(incident_id, by="张三", outcome="ok", reason="已处理，老人平安")
    assert not await legs.accept(daughter, only_first=False)


async def test_who_ended_just_before_asterisk_said_that_it_stops_did_not_hang_up(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    """`core stop now` hangs everybody up first: a relative who was in the room is dialled again."""
    attempt = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(attempt, only_first=False)
    await legs.ended(attempt, Outcome.NO_ANSWER)
    assert (await leg_of(legs, incident_id, DAUGHTER)).ever_accepted
    declined = await begin(legs, incident_id, Role.FAMILY, "13900000002")
    await legs.declined(declined)
    await legs.ended(declined, Outcome.NO_ANSWER)
    refused = await begin(legs, incident_id, Role.SUPERVISOR, "13700000000")
    await legs.ended(refused, Outcome.FAILED)
    assert await legs.torn(5.0) == 2
    torn = await leg_of(legs, incident_id, DAUGHTER)
    assert (torn.ever_accepted, torn.outcome, torn.attempts, torn.lost) == (False, Outcome.LOST, 0, 1)
    assert (await leg_of(legs, incident_id, "13900000002")).outcome is Outcome.DECLINED, "that was his own word"
    assert (await _kinds(store, incident_id))[-1] == "leg.torn"
    assert await legs.torn(5.0) == 0, "once"


async def test_the_calls_of_a_seat_that_talk_in_a_room(legs: SqlLegs, incident_id: str) -> None:
    seat = await begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.seat_in_room("1001") == [], "it rings"
    assert await legs.accept(seat, only_first=True)
    other = await begin(legs, incident_id, Role.AGENT, "1002")
    assert await legs.accept(other, only_first=False)
    assert await legs.seat_in_room("1001") == [seat]
    await legs.ended(seat, Outcome.TALKED)
    assert await legs.seat_in_room("1001") == []
