"""Legs and attempts: written before Asterisk is told, one live attempt each, and outcomes by rule."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from ivr.domain.cascade import Family
from ivr.domain.incident import ArrivedCall, IncidentView, LegState, LegView, NewAlarm, NotArrived, Outcome, Role
from ivr.domain.storm import Triage
from ivr.store import triage
from ivr.store.db import Store
from ivr.store.incident_view import CHINA
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.tables import alarm, incident
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes

DAUGHTER = "13900000001"


@pytest.fixture
def legs(store: Store) -> SqlLegs:
    return SqlLegs(store, "node1", "engine-1")


@pytest.fixture
async def incident_id(store: Store, town: None) -> str:
    return (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id


async def _leg(legs: SqlLegs, incident_id: str, phone: str) -> LegView:
    view = await legs.view(incident_id, datetime.now(UTC))
    assert view is not None
    (found,) = [one for one in view.legs if one.phone == phone]
    return found


async def _begin(legs: SqlLegs, incident_id: str, role: Role, phone: str) -> str:
    attempt = await legs.begin_attempt(incident_id, role, phone)
    assert attempt is not None
    return attempt


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
    attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert (await _leg(legs, incident_id, DAUGHTER)).state is LegState.DIALLED
    assert list(await legs.live()) == [attempt]
    assert await legs.describe(attempt) == (Role.FAMILY, incident_id)
    for _ in range(2):  # Asterisk may say everything twice
        await legs.ringing(attempt)
        await legs.answered(attempt)
        assert await legs.accept(attempt, only_first=False)
    found = await _leg(legs, incident_id, DAUGHTER)
    assert (found.state, found.live, found.ever_accepted) == (LegState.ACCEPTED, True, True)
    assert found.dialled_at is not None
    assert found.answered_at is not None
    assert found.accepted_at is not None
    assert await legs.ended(attempt, Outcome.HUNG_UP, cause=16) == incident_id
    assert await legs.ended(attempt, Outcome.HUNG_UP, cause=16) is None
    found = await _leg(legs, incident_id, DAUGHTER)
    assert (found.state, found.live, found.outcome) == (LegState.ENDED, False, Outcome.TALKED)
    assert await legs.live() == {}
    told = [f"leg.{word}" for word in ("dialled", "ringing", "answered", "accepted", "ended")]
    assert await _kinds(store, incident_id) == told


async def test_begin_is_refused_while_live_and_after_closing(store: Store, legs: SqlLegs, incident_id: str) -> None:
    attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.begin_attempt(incident_id, Role.FAMILY, DAUGHTER) is None
    await legs.ended(attempt, Outcome.NO_ANSWER)
    second = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert second != attempt
    await legs.ended(second, Outcome.BUSY)
    found = await _leg(legs, incident_id, DAUGHTER)
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
    attempts = [await _begin(engines[0], incident_id, Role.AGENT, f"100{n}") for n in range(1, 6)]
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
    family = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(family, only_first=False)
    agent = await _begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.accept(agent, only_first=True)
    duty = await _begin(legs, incident_id, Role.SUPERVISOR, "13700000000")
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
    attempt = await _begin(legs, incident_id, role, phone)
    if answered:
        await legs.answered(attempt)
    if said is Outcome.DECLINED:
        await legs.declined(attempt)
    elif said:
        await legs.mark(attempt, said)
    await legs.ended(attempt, asterisk)
    found = await _leg(legs, incident_id, phone)
    assert (found.outcome, found.live) == (kept, False)
    counts = kept is not Outcome.LOST
    assert (found.attempts, found.lost) == ((1, 0) if counts else (0, 1))


async def test_who_talked_has_talked_whatever_came_after(legs: SqlLegs, incident_id: str) -> None:
    for end in (Outcome.HUNG_UP, Outcome.LOST, Outcome.CANCELLED):
        attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
        assert await legs.accept(attempt, only_first=False)
        await legs.mark(attempt, Outcome.CANCELLED)
        await legs.ended(attempt, end)
        assert (await _leg(legs, incident_id, DAUGHTER)).outcome is Outcome.TALKED


async def test_first_word_about_the_end_stands(legs: SqlLegs, incident_id: str) -> None:
    attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    await legs.answered(attempt)
    await legs.declined(attempt)
    await legs.mark(attempt, Outcome.CANCELLED)
    await legs.ended(attempt, Outcome.HUNG_UP)
    assert (await _leg(legs, incident_id, DAUGHTER)).outcome is Outcome.DECLINED


async def test_late_news_changes_nothing(store: Store, legs: SqlLegs, incident_id: str) -> None:
    """Asterisk's events and the engine's own steps may cross."""
    attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    await legs.answered(attempt)
    await legs.ringing(attempt)
    assert (await _leg(legs, incident_id, DAUGHTER)).state is LegState.ANSWERED
    await legs.ended(attempt, Outcome.HUNG_UP)
    before = await _kinds(store, incident_id)
    await legs.answered(attempt)
    await legs.ringing(attempt)
    assert not await legs.accept(attempt, only_first=False)
    assert await _kinds(store, incident_id) == before
    assert (await _leg(legs, incident_id, DAUGHTER)).state is LegState.ENDED


async def test_strangers_and_other_nodes_are_not_ours(store: Store, legs: SqlLegs, incident_id: str) -> None:
    attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    elsewhere = SqlLegs(store, "node2", "engine-9")
    for one, uniqueid in ((legs, "1.999"), (elsewhere, attempt)):
        await one.ringing(uniqueid)
        await one.answered(uniqueid)
        await one.declined(uniqueid)
        assert not await one.accept(uniqueid, only_first=True)
        assert await one.ended(uniqueid, Outcome.FAILED) is None
        assert await one.describe(uniqueid) is None
    assert await elsewhere.live() == {}
    assert (await _leg(legs, incident_id, DAUGHTER)).state is LegState.DIALLED


async def test_elder_who_calls_again_is_the_same_leg(store: Store, legs: SqlLegs, incident_id: str) -> None:
    for number in (1, 2):
        arrived = ArrivedCall("node1", f"7.{number}", f"7.{number}", "12349120", "02155500001")
        await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500001", call=arrived))
        line = await _leg(legs, incident_id, "02155500001")
        assert (line.attempts, line.live, line.attempt_id) == (number, True, f"7.{number}")
        await legs.ended(f"7.{number}", Outcome.HUNG_UP)


async def test_a_second_alarm_after_everybody_left_searches_anew(store: Store, legs: SqlLegs, incident_id: str) -> None:
    """The elder presses again an hour after daughter and agent have hung up: that is a new cry for help."""
    daughter = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(daughter, only_first=False)
    before = await legs.view(incident_id, datetime.now(CHINA))
    assert before is not None
    again = NewAlarm("call", "one_key", phone="02155500001", idempotency_key="while she is there")
    assert (await SqlIncidents(store).raise_alarm(again)).joined
    during = await legs.view(incident_id, datetime.now(CHINA))
    assert during is not None
    assert during.opened_at == before.opened_at, "somebody is there: a second press changes nothing"
    await legs.ended(daughter, Outcome.HUNG_UP)
    assert [leg.ever_accepted for leg in (await _view(legs, incident_id)).legs if leg.phone == DAUGHTER] == [True]
    later = NewAlarm("call", "one_key", phone="02155500001", idempotency_key="after she left")
    assert (await SqlIncidents(store).raise_alarm(later)).joined
    view = await _view(legs, incident_id)
    assert view.opened_at > before.opened_at
    family = [leg for leg in view.legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.attempts, leg.live) for leg in family] == [(False, 0, False)]

    await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    seat = await _begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.accept(seat, only_first=True)
    answered = await _view(legs, incident_id)
    family = [leg for leg in answered.legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.live) for leg in family] == [(False, True)], "her phone goes on ringing"
    await legs.ended(seat, Outcome.HUNG_UP)
    assert (await _view(legs, incident_id)).opened_at == view.opened_at, "he has been there for this one"


async def test_what_happens_after_a_relative_has_left_the_family_is_to_know_though_an_agent_is_there(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    seat = await _begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.accept(seat, only_first=True)
    daughter = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(daughter, only_first=False)
    await legs.ended(daughter, Outcome.HUNG_UP)
    before = await _view(legs, incident_id)
    worse = NewAlarm("call", "worse", phone="02155500001", elder_no="E1", idempotency_key="worse")
    assert (await SqlIncidents(store).raise_alarm(worse)).joined
    view = await _view(legs, incident_id)
    assert view.opened_at == before.opened_at, "the agent is still there"
    family = [leg for leg in view.legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.attempts) for leg in family] == [(False, 0)]


async def test_a_refusal_of_the_network_costs_a_relative_no_round_and_not_for_ever(
    legs: SqlLegs, incident_id: str
) -> None:
    counted = []
    for _ in range(5):
        await legs.ended(await _begin(legs, incident_id, Role.FAMILY, DAUGHTER), Outcome.FAILED)
        counted.append((await _leg(legs, incident_id, DAUGHTER)).attempts)
    assert counted == [0, 0, 0, 1, 2]
    await legs.ended(await _begin(legs, incident_id, Role.SUPERVISOR, "13700000000"), Outcome.FAILED)
    assert (await _leg(legs, incident_id, "13700000000")).attempts == 1


async def test_a_cry_is_counted_again_after_a_minute_and_a_worse_answer_always(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    async def alarms(*seconds: int, kind: str = "press") -> int:
        for after in seconds:
            key = f"{kind}{after}"
            new = NewAlarm("api", kind, elder_no="E1", idempotency_key=key)
            assert (await SqlIncidents(store).raise_alarm(new)).incident_id == incident_id

            def later(tx: Tx, after: int = after, key: str = key) -> None:
                opened = tx.conn.execute(select(incident.c.opened_at)).scalar_one()
                tx.conn.execute(
                    update(alarm)
                    .where(alarm.c.idempotency_key.like(f"%{key}"))
                    .values(received_at=opened + timedelta(seconds=after))
                )

            await store.write(later)
        return (await _view(legs, incident_id)).cries

    assert await alarms(5, 40) == 0, "alarm and call of one emergency"
    assert await alarms(70) == 1
    assert await alarms(100) == 1
    assert await alarms(110, kind="worse") == 2
    assert await alarms(200) == 3
    assert await alarms(900, kind="location") == 3, "that is no cry"


async def test_whom_a_crash_of_asterisk_tore_from_the_room_has_not_helped(legs: SqlLegs, incident_id: str) -> None:
    daughter = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(daughter, only_first=False)
    await legs.ended(daughter, Outcome.LOST, torn=True)
    family = [leg for leg in (await _view(legs, incident_id)).legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.attempts, leg.lost, leg.outcome) for leg in family] == [(False, 0, 1, Outcome.LOST)]


async def test_nobody_is_accepted_into_a_closed_incident(store: Store, legs: SqlLegs, incident_id: str) -> None:
    daughter = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    await SqlIncidents(store).close(incident_id, by="张三", outcome="ok", reason="已处理，老人平安")
    assert not await legs.accept(daughter, only_first=False)


async def _view(legs: SqlLegs, incident_id: str) -> IncidentView:
    view = await legs.view(incident_id, datetime.now(CHINA))
    assert view is not None
    return view


async def _view_of(legs: SqlLegs, incident_id: str) -> IncidentView:
    view = await legs.view(incident_id, datetime.now(UTC))
    assert view is not None
    return view


async def test_a_cut_call_is_told_with_how_often_he_was_called_since_and_whom_he_met(
    store: Store, legs: SqlLegs, town: None
) -> None:
    arrived = ArrivedCall("node1", "1700000000.1", "1700000000.1", "12349120", "02155500001")
    raised = await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500001", call=arrived))
    incident_id = raised.incident_id
    await legs.accept("1700000000.1", only_first=False)
    assert (await _view_of(legs, incident_id)).elder_lost_since is None, "he is on the line"
    await legs.ended("1700000000.1", Outcome.HUNG_UP)
    cut = await _view_of(legs, incident_id)
    assert cut.elder_lost_since is not None
    assert (cut.elder_redials, cut.elder_met) == (0, False)
    missed = await _begin(legs, incident_id, Role.ELDER, "02155500001")
    await legs.ended(missed, Outcome.NO_ANSWER)
    doubtful = await _begin(legs, incident_id, Role.ELDER, "02155500001")
    await legs.ended(doubtful, Outcome.LOST)
    assert (await _view_of(legs, incident_id)).elder_redials == 1, "a lost dial counts as not made"
    reached = await _begin(legs, incident_id, Role.ELDER, "02155500001")
    await legs.accept(reached, only_first=False)
    agent = await _begin(legs, incident_id, Role.AGENT, "1001")
    assert not (await _view_of(legs, incident_id)).elder_met
    await legs.accept(agent, only_first=True)
    assert (await _view_of(legs, incident_id)).elder_met


async def test_a_talk_that_asterisk_lost_was_cut(store: Store, legs: SqlLegs, town: None) -> None:
    arrived = ArrivedCall("node1", "1700000000.2", "1700000000.2", "12349120", "02155500001")
    raised = await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500001", call=arrived))
    agent = await _begin(legs, raised.incident_id, Role.AGENT, "1001")
    for one in ("1700000000.2", agent):
        await legs.accept(one, only_first=False)
    for one in ("1700000000.2", agent):
        await legs.ended(one, Outcome.LOST, torn=True)
    view = await _view_of(legs, raised.incident_id)
    assert view.elder_lost_since is not None
    assert not view.elder_met, "he is called back at once"


async def test_a_worse_answer_begins_the_search_anew_for_everybody(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    incidents, wishes = SqlIncidents(store), SqlWishes(store)
    assert (await _view_of(legs, incident_id)).awaited_since is None
    await wishes.want(incident_id, Role.HOSPITAL, "02155520001", name="静安医院", by="李娜")
    for role, phone in ((Role.AGENT, "1001"), (Role.FAMILY, DAUGHTER), (Role.HOSPITAL, "02155520001")):
        attempt = await _begin(legs, incident_id, role, phone)
        await legs.accept(attempt, only_first=False)
        await legs.ended(attempt, Outcome.TALKED)
    await incidents.family(incident_id, Family.CANCELLED, by="李娜", word="agent", reason="误按")
    before = await _view_of(legs, incident_id)
    assert before.awaited_since is not None
    assert (await _leg(legs, incident_id, DAUGHTER)).ever_accepted
    await incidents.worsened(incident_id, "worse")
    after = await _view_of(legs, incident_id)
    assert (after.worse, after.family, after.opened_at > before.opened_at) == (True, Family.STARTED, True)
    assert not (await _leg(legs, incident_id, DAUGHTER)).ever_accepted, "she is dialled again"
    wish = (await _leg(legs, incident_id, "02155520001")).wish
    assert wish is not None
    assert (wish.attempts, wish.last_accepted) == (0, None), "and so is the hospital"


@pytest.mark.parametrize("sent", ["nobody", "nobody, called off by an agent", "offer", "worker", "hospital"])
async def test_closing_without_arrival_needs_an_explanation(store: Store, incident_id: str, sent: str) -> None:
    incidents, wishes = SqlIncidents(store, reason_min=7), SqlWishes(store)
    if sent == "offer":
        await wishes.want_helper(incident_id, by="李娜")
    elif sent == "nobody, called off by an agent":
        await incidents.family(incident_id, Family.CANCELLED, by="李娜", word="agent", reason="x")
    elif sent != "nobody":
        await wishes.want(incident_id, Role(sent), "13700000001", name="近", by="李娜")
    outcomes = ["helped", "other", "ambulance", "safe", "测试"]
    for outcome in outcomes if sent.startswith("nobody") else [*outcomes, "test", "false_alarm"]:
        for reason in ("好了", "女儿已到家了", "aaaaaaaaa", "……………………"):
            with pytest.raises(NotArrived):
                await incidents.close(incident_id, by="李娜", outcome=outcome, reason=reason)
    assert await incidents.open_ids() == [incident_id]
    await incidents.close(incident_id, by="李娜", outcome="helped", reason="女儿已到家照看")
    assert await incidents.open_ids() == []


async def test_closing_after_an_arrival_needs_a_word(store: Store, incident_id: str) -> None:
    await SqlWishes(store).want_helper(incident_id, by="李娜")
    await SqlWishes(store).arrived(incident_id, by="李娜", at=None)
    await SqlIncidents(store).close(incident_id, by="李娜", outcome="helped", reason="好了")
    assert await SqlIncidents(store).open_ids() == []


@pytest.mark.parametrize("how", ["test", "false_alarm", "called off", "said safe"])
async def test_what_was_explained_already_is_closed_with_a_word(store: Store, incident_id: str, how: str) -> None:
    incidents = SqlIncidents(store)
    if how == "called off":
        await incidents.family(incident_id, Family.CANCELLED, by="李娜", word="elder", reason="按错了")
    if how == "said safe":
        await store.write(lambda tx: triage.mark(tx, incident_id, Triage.SAFE))
    outcome = how if how in ("test", "false_alarm") else "other"
    await incidents.close(incident_id, by="李娜", outcome=outcome, reason="好了")
    assert await incidents.open_ids() == []


async def test_who_ended_just_before_asterisk_said_that_it_stops_did_not_hang_up(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    """`core stop now` hangs everybody up first: a relative who was in the room is dialled again."""
    attempt = await _begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(attempt, only_first=False)
    await legs.ended(attempt, Outcome.NO_ANSWER)
    assert (await _leg(legs, incident_id, DAUGHTER)).ever_accepted
    declined = await _begin(legs, incident_id, Role.FAMILY, "13900000002")
    await legs.declined(declined)
    await legs.ended(declined, Outcome.NO_ANSWER)
    refused = await _begin(legs, incident_id, Role.SUPERVISOR, "13700000000")
    await legs.ended(refused, Outcome.FAILED)
    assert await legs.torn(5.0) == 2
    torn = await _leg(legs, incident_id, DAUGHTER)
    assert (torn.ever_accepted, torn.outcome, torn.attempts, torn.lost) == (False, Outcome.LOST, 0, 1)
    assert (await _leg(legs, incident_id, "13900000002")).outcome is Outcome.DECLINED, "that was his own word"
    assert (await _kinds(store, incident_id))[-1] == "leg.torn"
    assert await legs.torn(5.0) == 0, "once"


async def test_the_calls_of_a_seat_that_talk_in_a_room(legs: SqlLegs, incident_id: str) -> None:
    seat = await _begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.seat_in_room("1001") == [], "it rings"
    assert await legs.accept(seat, only_first=True)
    other = await _begin(legs, incident_id, Role.AGENT, "1002")
    assert await legs.accept(other, only_first=False)
    assert await legs.seat_in_room("1001") == [seat]
    await legs.ended(seat, Outcome.TALKED)
    assert await legs.seat_in_room("1001") == []
