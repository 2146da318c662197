"""What people ask for goes on through a storm, and for those who are safe; what nobody asked for does not."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from ivr.domain.cascade import Family
from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.domain.staffing import StaffingPolicy
from ivr.domain.storm import Triage
from ivr.services.storm_ports import StormLook
from tests.doubles.patience import until
from tests.doubles.storm_scene import DUTY, Scene, scene


async def dealt_with(at: Scene, incident: str, seat: str = "1009") -> None:
    """A person has spoken for this one, and has hung up."""
    attempt = await at.legs.begin_attempt(incident, Role.AGENT, seat)
    assert attempt is not None
    assert await at.legs.accept(attempt, only_first=True)
    await at.legs.ended(attempt, Outcome.TALKED)


async def says_safe(at: Scene, incident: str, phone: str) -> None:
    attempt = await at.legs.begin_attempt(incident, Role.ELDER, phone)
    assert attempt is not None
    await at.records.asked(incident, attempt)
    await at.records.heard(attempt, Triage.SAFE, hold_at_most=9)
    await at.legs.ended(attempt, Outcome.TALKED)


async def test_what_a_person_asked_for_goes_on_through_a_storm(tmp_path: Path) -> None:
    """The agent has hung up: the hospital he wanted is tried again, workers are asked, the family is dialled."""
    async with scene(tmp_path) as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        wish, offer, family, nothing = await at.alarms(4)
        for one in (wish, offer, family, nothing):
            await dealt_with(at, one)
        await at.desk.look()
        await at.settle()
        before = len(at.telephony.dialled)
        await at.wishes.want(wish, Role.HOSPITAL, "02162000000", name="医院", by="李娜")
        await at.wishes.want_helper(offer, by="李娜")
        await at.incidents.family(family, Family.STARTED, by="李娜", word="agent", reason="")
        await at.desk.look()
        await until(lambda: "02162000000" in at.dialled(Role.HOSPITAL), within=3)
        await until(lambda: "13900000001" in at.dialled(Role.WORKER), within=3)
        await until(lambda: {"13100000002", "13200000002"} <= set(at.dialled(Role.FAMILY)), within=3)
        for attempt, _, role in await at.attempts():
            if role in (Role.HOSPITAL, Role.WORKER):
                await at.legs.ended(attempt, Outcome.BUSY)
        for one in (wish, offer, family, nothing):
            at.runner.wake(one)
        await at.desk.look()
        await until(lambda: at.dialled(Role.HOSPITAL).count("02162000000") == 2, within=3)
        await until(lambda: len(at.dialled(Role.WORKER)) == 2, within=3)
        assert {room for _, _, room, _ in at.telephony.dialled[before:]} == {wish, offer, family}


async def test_an_elder_to_whom_help_is_on_its_way_is_called_again_in_a_storm(tmp_path: Path) -> None:
    async with scene(tmp_path, recall_s=0.5) as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        (one,) = await at.alarms(1)
        await dealt_with(at, one)
        await at.wishes.want_helper(one, by="李娜")
        await at.wishes.end_offer((await at.wishes.offer_of(one)).id, "accepted")
        await at.desk.look()
        await until(lambda: "02150000000" in at.dialled(Role.ELDER), within=3)
        at.telephony.dialled.clear()
        for attempt, _, _ in await at.attempts():
            await at.legs.ended(attempt, Outcome.NO_ANSWER)
        await at.wishes.arrived(one, by="李娜", at=None)
        await at.desk.look()
        await at.desk.look()
        assert not at.desk.admits(one), "somebody is at the door: nothing is left to do"


async def test_a_worker_is_sent_to_one_who_is_safe_and_nobody_else_is_rung(tmp_path: Path) -> None:
    async with scene(tmp_path, seat1001="李娜") as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        (one,) = await at.alarms(1)
        await says_safe(at, one, "02150000000")
        await at.records.switch(False, by="t")
        await at.desk.look()
        await at.wishes.want_helper(one, by="王芳")
        await at.desk.look()
        await until(lambda: "13900000001" in at.dialled(Role.WORKER), within=3)
        await asyncio.sleep(1.5)
        assert {role for role, *_ in at.telephony.dialled} == {Role.WORKER}
        await at.incidents.worsened(one, "no_answer")
        at.desk.cried_again(one)
        await at.desk.look()
        at.runner.wake(one)
        await until(lambda: "1001" in at.dialled(Role.AGENT), within=3)


async def test_a_cry_that_comes_during_a_look_is_not_taken_for_safe(tmp_path: Path) -> None:
    async with scene(tmp_path, seat1001="李娜") as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        (one,) = await at.alarms(1)
        await says_safe(at, one, "02150000000")
        await at.records.switch(False, by="t")
        look = at.records.look

        async def old_news(now: datetime) -> StormLook:
            seen = await look(now)
            await at.incidents.raise_alarm(NewAlarm("t", "fall", elder_no="E0"))
            at.desk.cried_again(one)
            return seen

        at.records.look = old_news  # type: ignore[method-assign]
        await at.desk.look()
        assert at.desk.admits(one)


async def test_no_hospital_is_rung_in_a_storm_while_seats_work(tmp_path: Path) -> None:
    """All seats are with others: that is not a centre without seats."""
    late = StaffingPolicy(no_seat_duty_after_s=0.1, supervisor_after_s=0.2, on_call_after_s=0.3, hospital_after_s=0.4)
    async with scene(tmp_path, staff=late, consent=True) as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        ids = await at.alarms(3)
        for number, one in enumerate(ids):
            arrived = ArrivedCall("node1", f"1.{number}", "1.1", "12349120", f"0215000{number:04d}")
            await at.incidents.raise_alarm(
                NewAlarm("call", "emergency_call", phone=arrived.caller_id, call=arrived, idempotency_key=one)
            )
        taken = await at.legs.begin_attempt(ids[0], Role.AGENT, "1001")
        assert taken is not None
        assert await at.legs.accept(taken, only_first=True)
        for _ in range(4):
            await at.desk.look()
            for one in ids:
                at.runner.wake(one)
            await at.settle()
        assert at.dialled(Role.SUPERVISOR) == [DUTY], "for one of them the phone behind the seats"
        assert at.dialled(Role.HOSPITAL) == []
        await at.legs.ended(taken, Outcome.TALKED)
        for _ in range(3):
            await at.desk.look()
            for one in ids:
                at.runner.wake(one)
            await at.settle()
        assert at.dialled(Role.HOSPITAL) == ["120"], "no seat at all: for the most urgent alone"
