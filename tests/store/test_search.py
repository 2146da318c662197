"""What the runner is told of an incident: when the search for people began, who has been tried in it, whom he met."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from ivr.domain.cascade import Family
from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.store.db import Store
from ivr.store.incident_view import CHINA
from ivr.store.incidents import SqlIncidents
from ivr.store.legs import SqlLegs
from ivr.store.tables import alarm, incident
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes
from tests.store.leg_steps import DAUGHTER, begin, leg_of, view_of


@pytest.fixture
async def incident_id(store: Store, town: None) -> str:
    return (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id


async def test_elder_who_calls_again_is_the_same_leg(store: Store, legs: SqlLegs, incident_id: str) -> None:
    for number in (1, 2):
        arrived = ArrivedCall("node1", f"7.{number}", f"7.{number}", "12349120", "02155500001")
        await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500001", call=arrived))
        line = await leg_of(legs, incident_id, "02155500001")
        assert (line.attempts, line.live, line.attempt_id) == (number, True, f"7.{number}")
        await legs.ended(f"7.{number}", Outcome.HUNG_UP)


async def test_a_second_alarm_after_everybody_left_searches_anew(store: Store, legs: SqlLegs, incident_id: str) -> None:
    """The elder presses again an hour after daughter and agent have hung up: that is a new cry for help."""
    daughter = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(daughter, only_first=False)
    before = await legs.view(incident_id, datetime.now(CHINA))
    assert before is not None
    again = NewAlarm("call", "one_key", phone="02155500001", idempotency_key="while she is there")
    assert (await SqlIncidents(store).raise_alarm(again)).joined
    during = await legs.view(incident_id, datetime.now(CHINA))
    assert during is not None
    assert during.opened_at == before.opened_at, "somebody is there: a second press changes nothing"
    await legs.ended(daughter, Outcome.HUNG_UP)
    assert [leg.ever_accepted for leg in (await view_of(legs, incident_id)).legs if leg.phone == DAUGHTER] == [True]
    later = NewAlarm("call", "one_key", phone="02155500001", idempotency_key="after she left")
    assert (await SqlIncidents(store).raise_alarm(later)).joined
    view = await view_of(legs, incident_id)
    assert view.opened_at > before.opened_at
    family = [leg for leg in view.legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.attempts, leg.live) for leg in family] == [(False, 0, False)]

    await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    seat = await begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.accept(seat, only_first=True)
    answered = await view_of(legs, incident_id)
    family = [leg for leg in answered.legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.live) for leg in family] == [(False, True)], "her phone goes on ringing"
    await legs.ended(seat, Outcome.HUNG_UP)
    assert (await view_of(legs, incident_id)).opened_at == view.opened_at, "he has been there for this one"


async def test_what_happens_after_a_relative_has_left_the_family_is_to_know_though_an_agent_is_there(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    seat = await begin(legs, incident_id, Role.AGENT, "1001")
    assert await legs.accept(seat, only_first=True)
    daughter = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(daughter, only_first=False)
    await legs.ended(daughter, Outcome.HUNG_UP)
    before = await view_of(legs, incident_id)
    worse = NewAlarm("call", "worse", phone="02155500001", elder_no="E1", idempotency_key="worse")
    assert (await SqlIncidents(store).raise_alarm(worse)).joined
    view = await view_of(legs, incident_id)
    assert view.opened_at == before.opened_at, "the agent is still there"
    family = [leg for leg in view.legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.attempts) for leg in family] == [(False, 0)]


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
        return (await view_of(legs, incident_id)).cries

    assert await alarms(5, 40) == 0, "alarm and call of one emergency"
    assert await alarms(70) == 1
    assert await alarms(100) == 1
    assert await alarms(110, kind="worse") == 2
    assert await alarms(200) == 3
    assert await alarms(900, kind="location") == 3, "that is no cry"


async def test_whom_a_crash_of_asterisk_tore_from_the_room_has_not_helped(legs: SqlLegs, incident_id: str) -> None:
    daughter = await begin(legs, incident_id, Role.FAMILY, DAUGHTER)
    assert await legs.accept(daughter, only_first=False)
    await legs.ended(daughter, Outcome.LOST, torn=True)
    family = [leg for leg in (await view_of(legs, incident_id)).legs if leg.phone == DAUGHTER]
    assert [(leg.ever_accepted, leg.attempts, leg.lost, leg.outcome) for leg in family] == [(False, 0, 1, Outcome.LOST)]


async def test_a_cut_call_is_told_with_how_often_he_was_called_since_and_whom_he_met(
    store: Store, legs: SqlLegs, town: None
) -> None:
    arrived = ArrivedCall("node1", "1700000000.1", "1700000000.1", "12349120", "02155500001")
    raised = await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500001", call=arrived))
    incident_id = raised.incident_id
    await legs.accept("1700000000.1", only_first=False)
    assert (await view_of(legs, incident_id)).elder_lost_since is None, "he is on the line"
    await legs.ended("1700000000.1", Outcome.HUNG_UP)
    cut = await view_of(legs, incident_id)
    assert cut.elder_lost_since is not None
    assert (cut.elder_redials, cut.elder_met) == (0, False)
    missed = await begin(legs, incident_id, Role.ELDER, "02155500001")
    await legs.ended(missed, Outcome.NO_ANSWER)
    doubtful = await begin(legs, incident_id, Role.ELDER, "02155500001")
    await legs.ended(doubtful, Outcome.LOST)
    assert (await view_of(legs, incident_id)).elder_redials == 1, "a lost dial counts as not made"
    reached = await begin(legs, incident_id, Role.ELDER, "02155500001")
    await legs.accept(reached, only_first=False)
    agent = await begin(legs, incident_id, Role.AGENT, "1001")
    assert not (await view_of(legs, incident_id)).elder_met
    await legs.accept(agent, only_first=True)
    assert (await view_of(legs, incident_id)).elder_met


async def test_a_talk_that_asterisk_lost_was_cut(store: Store, legs: SqlLegs, town: None) -> None:
    arrived = ArrivedCall("node1", "1700000000.2", "1700000000.2", "12349120", "02155500001")
    raised = await SqlIncidents(store).raise_alarm(NewAlarm("call", "one_key", phone="02155500001", call=arrived))
    agent = await begin(legs, raised.incident_id, Role.AGENT, "1001")
    for one in ("1700000000.2", agent):
        await legs.accept(one, only_first=False)
    for one in ("1700000000.2", agent):
        await legs.ended(one, Outcome.LOST, torn=True)
    view = await view_of(legs, raised.incident_id)
    assert view.elder_lost_since is not None
    assert not view.elder_met, "he is called back at once"


async def test_a_worse_answer_begins_the_search_anew_for_everybody(
    store: Store, legs: SqlLegs, incident_id: str
) -> None:
    incidents, wishes = SqlIncidents(store), SqlWishes(store)
    assert (await view_of(legs, incident_id)).awaited_since is None
    await wishes.want(incident_id, Role.HOSPITAL, "02155520001", name="静安医院", by="李娜")
    for role, phone in ((Role.AGENT, "1001"), (Role.FAMILY, DAUGHTER), (Role.HOSPITAL, "02155520001")):
        attempt = await begin(legs, incident_id, role, phone)
        await legs.accept(attempt, only_first=False)
        await legs.ended(attempt, Outcome.TALKED)
    await incidents.family(incident_id, Family.CANCELLED, by="李娜", word="agent", reason="误按")
    before = await view_of(legs, incident_id)
    assert before.awaited_since is not None
    assert (await leg_of(legs, incident_id, DAUGHTER)).ever_accepted
    await incidents.worsened(incident_id, "worse")
    after = await view_of(legs, incident_id)
    assert (after.worse, after.family, after.opened_at > before.opened_at) == (True, Family.STARTED, True)
    assert not (await leg_of(legs, incident_id, DAUGHTER)).ever_accepted, "she is dialled again"
    wish = (await leg_of(legs, incident_id, "02155520001")).wish
    assert wish is not None
    assert (wish.attempts, wish.last_accepted) == (0, None), "and so is the hospital"
