"""A share of the lines stays free before a storm has begun too, and lines that are taken begin it."""

from __future__ import annotations

from pathlib import Path

from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.domain.staffing import StaffingPolicy
from ivr.domain.storm import StormPolicy
from tests.doubles.patience import until
from tests.doubles.storm_scene import PACED, scene

SLOW = StormPolicy(ports=10, reserved_share=0.3, waiting_per_seat=50, alarms_per_min=500)
"""Nothing but the lines can begin a storm."""
NO_DUTY = StaffingPolicy(no_seat_duty_after_s=60)


async def test_before_a_storm_too_a_share_of_the_lines_stays_free(tmp_path: Path) -> None:
    """Alarms in a burst, before anybody has looked; the relatives of one who calls himself come all the same."""
    async with scene(tmp_path, policy=SLOW, staff=NO_DUTY, started=False) as at:
        await at.desk.look()
        await at.records.switch(False, by="t")  # else the storm begins: the next test
        await at.alarms(8)
        at.start()
        await until(lambda: len(at.dialled(Role.FAMILY)) >= PACED, within=5)
        await at.settle()
        assert len(at.dialled(Role.FAMILY)) == PACED, "no look in between: what is dialled meanwhile counts"
        await at.desk.look()
        arrived = ArrivedCall("node1", "1.1", "1.1", "12349120", "02150000030")
        raised = await at.incidents.raise_alarm(
            NewAlarm("call", "emergency_call", phone="02150000030", call=arrived, idempotency_key="c")
        )
        at.runner.wake(raised.incident_id)
        await until(lambda: {"13100000030", "13200000030"} <= set(at.dialled(Role.FAMILY)), within=3)
        await at.legs.ended("1.1", Outcome.HUNG_UP)
        for attempt, _, role in await at.attempts():
            if role == Role.FAMILY:
                await at.legs.ended(attempt, Outcome.BUSY)
        before = len(at.dialled(Role.FAMILY))
        await at.desk.look()  # lines are free again: who was left out is dialled, without being woken
        await until(lambda: len(at.dialled(Role.FAMILY)) >= before + PACED, within=3)
        await at.settle()
        assert len(at.dialled(Role.FAMILY)) == before + PACED


async def test_lines_that_are_taken_begin_a_storm(tmp_path: Path) -> None:
    async with scene(tmp_path, policy=SLOW, staff=NO_DUTY) as at:
        await at.alarms(3)
        for one in (await at.records.look(at.desk._now())).open:
            at.runner.wake(one.id)
        await at.settle()
        await at.desk.look()
        assert not at.desk.active, "six lines of seven"
        (fourth,) = await at.alarms(1, first=3)
        at.runner.wake(fourth)
        await at.settle()
        await at.desk.look()
        assert at.desk.active
