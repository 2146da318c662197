"""Closing: with an explanation where nobody is known to have arrived, with a word where it explains itself."""

from __future__ import annotations

import pytest

from ivr.domain.cascade import Family
from ivr.domain.incident import NewAlarm, NotArrived, Role
from ivr.domain.storm import Triage
from ivr.store import triage
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.wishes import SqlWishes


@pytest.fixture
async def incident_id(store: Store, town: None) -> str:
    return (await SqlIncidents(store).raise_alarm(NewAlarm("api", "press", elder_no="E1"))).incident_id


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
