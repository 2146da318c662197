"""The storm desk: who is asked, for whom seats ring, whose family is dialled, and whom a storm leaves alone."""

from __future__ import annotations

import time
from pathlib import Path

from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.domain.storm import Triage
from tests.doubles.patience import until
from tests.doubles.storm_scene import PACED, scene


async def test_a_storm_begins_by_itself_and_dials_no_more_than_its_share(tmp_path: Path) -> None:
    async with scene(tmp_path, started=False) as at:
        await at.desk.look()
        await at.alarms(20)
        await at.desk.look()
        assert at.desk.active
        at.start()
        for _ in range(5):
            await at.desk.look()
            await at.settle()
            trunk = [one for one in await at.attempts() if one[2] != Role.AGENT and one[2] != Role.SUPERVISOR]
            assert len(trunk) <= PACED
        assert len(at.dialled(Role.ELDER)) >= PACED - 1, "the lines are used"
        assert at.dialled(Role.FAMILY) == [], "nobody's family before he was asked"
        assert len(at.dialled(Role.SUPERVISOR)) == 1, "the duty phone rings for one"


async def test_families_of_those_in_need_only(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        ids = await at.alarms(4)
        await at.desk.look()
        said = dict(zip(ids, (Triage.HELP, Triage.SILENT, Triage.SAFE, Triage.SAFE), strict=True))
        for attempt, incident, role in await at.attempts():
            if role == Role.ELDER:
                await at.records.heard(attempt, said[incident], hold_at_most=0)
                await at.legs.ended(attempt, Outcome.HUNG_UP)
        for _ in range(3):
            await at.desk.look()
            await at.settle()
        assert set(at.dialled(Role.FAMILY)) == {"13100000000", "13200000000", "13100000001", "13200000001"}


async def test_everybody_is_asked_and_asked_again_before_he_counts_as_not_reached(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        await at.alarms(15)
        for _ in range(20):
            await at.desk.look()
            for attempt, _, role in await at.attempts():
                if role == Role.ELDER:
                    await at.legs.ended(attempt, Outcome.NO_ANSWER)
            seen = await at.records.look(at.desk._now())
            if all(one.triage is Triage.NO_ANSWER for one in seen.open):
                break
        assert all(one.triage is Triage.NO_ANSWER for one in seen.open)
        asked = at.dialled(Role.ELDER)
        assert sorted(asked) == sorted([f"0215000{n:04d}" for n in range(15)] * 2)
        assert len(set(asked[:15])) == 15, "everybody once before anybody twice"


async def test_seats_ring_by_risk_and_not_all_for_each(tmp_path: Path) -> None:
    async with scene(tmp_path, seat1001="李娜", seat1002="赵敏", seat1003="王芳") as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        ids = await at.alarms(10)
        for number, said in ((3, Triage.HELP), (6, Triage.SILENT), (1, Triage.SAFE), (2, Triage.SAFE)):
            attempt = await at.legs.begin_attempt(ids[number], Role.ELDER, f"0215000{number:04d}")
            assert attempt is not None
            await at.records.asked(ids[number], attempt)
            await at.records.heard(attempt, said, hold_at_most=0)
            await at.legs.ended(attempt, Outcome.HUNG_UP)
        await at.desk.look()
        await until(lambda: len(at.dialled(Role.AGENT)) == 3, within=3)
        await at.settle()
        rung = [room for role, _, room, _ in at.telephony.dialled if role is Role.AGENT]
        assert sorted(rung.count(one) for one in set(rung)) == [1, 1, 1], "one seat each while others wait"
        assert {ids[3], ids[6]} <= set(rung)
        assert not {ids[1], ids[2]} & set(rung), "none for those who are safe"


async def test_a_new_caller_waits_for_no_pacing(tmp_path: Path) -> None:
    async with scene(tmp_path, seat1001="李娜", seat1002="赵敏") as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        await at.alarms(20)
        await at.desk.look()
        at.telephony.seats = {"seat1005": "何静"}
        arrived = ArrivedCall("node1", "1.1", "1.1", "12349120", "02150000030")
        raised = await at.incidents.raise_alarm(
            NewAlarm("call", "emergency_call", phone="02150000030", call=arrived, idempotency_key="c")
        )
        began = time.monotonic()
        at.desk.called(raised.incident_id)
        at.runner.wake(raised.incident_id)
        await until(lambda: "1005" in at.dialled(Role.AGENT), within=2)
        await until(lambda: "13100000030" in at.dialled(Role.FAMILY), within=2)
        assert time.monotonic() - began < 1.5


async def test_open_incidents_for_whom_nothing_is_done_have_no_task(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        ids = await at.alarms(30)
        for one in ids:
            at.runner.wake(one)
        await at.desk.look()
        await at.settle()
        assert len(at.runner._wake) <= 3
        await at.records.switch(False, by="t")
        await at.desk.look()
        await at.settle()
        assert len(at.runner._wake) == 30, "the storm is over: everybody is attended as ever"


async def test_who_is_safe_is_left_to_a_person_after_the_storm_too(tmp_path: Path) -> None:
    async with scene(tmp_path, seat1001="李娜") as at:
        await at.records.switch(True, by="t")
        await at.desk.look()
        (one,) = await at.alarms(1)
        attempt = await at.legs.begin_attempt(one, Role.ELDER, "02150000000")
        assert attempt is not None
        await at.records.asked(one, attempt)
        await at.records.heard(attempt, Triage.SAFE, hold_at_most=9)
        await at.legs.ended(attempt, Outcome.TALKED)
        await at.records.switch(False, by="t")
        await at.desk.look()
        at.runner.wake(one)
        await at.settle()
        assert at.telephony.dialled == []
        await at.incidents.raise_alarm(NewAlarm("t", "fall", elder_no="E0"))
        at.desk.cried_again(one)
        at.runner.wake(one)
        await until(lambda: "1001" in at.dialled(Role.AGENT), within=2)


async def test_a_number_that_cannot_be_dialled_is_no_answer(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.records.switch(True, by="t")
        await at.incidents.raise_alarm(NewAlarm("t", "press", device_id="nobody's"))
        await at.desk.look()
        await at.desk.look()
        (one,) = (await at.records.look(at.desk._now())).open
        assert one.triage is Triage.NO_ANSWER
        assert at.dialled(Role.ELDER) == []


async def test_calls_that_have_ended_are_settled_together(tmp_path: Path) -> None:
    async with scene(tmp_path, started=False) as at:
        await at.desk.look()
        await at.alarms(20)
        await at.desk.look()
        at.start()
        for _ in range(2):
            await at.desk.look()
            await at.settle()
        asked = [attempt for attempt, _, role in await at.attempts() if role == Role.ELDER]
        assert len(asked) > 2
        for attempt in asked:
            await at.legs.ended(attempt, Outcome.BUSY)
        settle, running, most = at.records.settle, 0, 0

        async def watched(incident_id: str, attempt: str, said: Triage) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await settle(incident_id, attempt, said)
            running -= 1

        at.records.settle = watched  # type: ignore[method-assign]
        await at.desk.look()
        assert most == len(asked)
