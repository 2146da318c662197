"""The storm desk and the incident runner together, on a real store, with a telephony that is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert
from ulid import ULID

from ivr.domain.cascade import CascadePolicy, Family
from ivr.domain.incident import ArrivedCall, NewAlarm, Outcome, Role
from ivr.domain.offer import OfferPolicy
from ivr.domain.recall import RecallPolicy
from ivr.domain.staffing import StaffingPolicy
from ivr.domain.storm import StormPolicy, Triage
from ivr.domain.wishes import WishPolicy
from ivr.services.helper_round import HelperRound
from ivr.services.incident_runner import IncidentRunner, RunnerPolicy
from ivr.services.storm_desk import StormDesk
from ivr.services.storm_ports import StormLook
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.legs import SqlLegs
from ivr.store.migrate import upgrade
from ivr.store.storm import SqlStorm
from ivr.store.tables import contact, elder, worker
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes
from tests.doubles.patience import until
from tests.doubles.pretend_telephony import PretendTelephony

POLICY = StormPolicy(ports=10, reserved_share=0.3, again_s=0, waiting_per_seat=2)
PACED = 7
DUTY = "13700000000"
STAFF = StaffingPolicy()


class Scene:
    def __init__(self, store: Store, staff: StaffingPolicy, policy: StormPolicy, recall_s: float, **seats: str) -> None:
        self.store, self.staff, self.recall_s = store, staff, recall_s
        self.incidents, self.legs, self.records = SqlIncidents(store), SqlLegs(store, "node1", "e"), SqlStorm(store)
        self.telephony = PretendTelephony([], **seats)
        self.desk = StormDesk(self.records, self.legs, self.telephony, policy)
        self.wishes = SqlWishes(store)
        self.runner = self.new_runner()
        self.running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.running = asyncio.create_task(self.runner.run())

    def new_runner(self) -> IncidentRunner:
        policy = RunnerPolicy(
            CascadePolicy(2, 1), self.staff, duty_phone=DUTY, recall=RecallPolicy(every_s=self.recall_s)
        )
        helpers = HelperRound(self.wishes, OfferPolicy(pause_s=0.3), policy=WishPolicy(pause_s=0.3), ambulance="120")
        runner = IncidentRunner(self.incidents, self.legs, self.telephony, policy, gate=self.desk, helpers=helpers)
        self.desk.wake_runner = runner.wake
        return runner

    async def alarms(self, count: int, first: int = 0) -> list[str]:
        return [
            (await self.incidents.raise_alarm(NewAlarm("t", "press", elder_no=f"E{n}"))).incident_id
            for n in range(first, first + count)
        ]

    def dialled(self, role: Role) -> list[str]:
        return [phone for what, phone, _, _ in self.telephony.dialled if what is role]

    async def attempts(self) -> list[tuple[str, str, str]]:
        """(attempt, incident, role) of what is alive."""
        seen = await self.records.look(self.desk._now())
        return [(leg.uniqueid, leg.incident_id, leg.role) for leg in seen.live]

    async def settle(self) -> None:
        """Let the runner do all that was set going."""
        await asyncio.sleep(0.3)


@asynccontextmanager
async def scene(
    tmp_path: Path,
    *,
    started: bool = True,
    staff: StaffingPolicy = STAFF,
    policy: StormPolicy = POLICY,
    recall_s: float = 300.0,
    consent: bool = False,
    **seats: str,
) -> AsyncIterator[Scene]:
    """Not `started`: what the runner finds on record by itself before the storm has begun, it dials for as ever."""
    url = f"sqlite+aiosqlite:///{tmp_path}/test.db"
    await asyncio.to_thread(upgrade, url)
    async with Store(url, name="engine", write_timeout_s=20) as store:

        def people(tx: Tx) -> None:
            for n in (1, 2):
                tx.conn.execute(
                    insert(worker).values(
                        worker_no=f"W{n}", name=f"护理员{n}", phone=f"1390000000{n}", lat=1.0 * n, lng=1
                    )
                )
            for n in range(40):
                tx.conn.execute(
                    insert(elder).values(
                        elder_no=f"E{n}",
                        name=f"老人{n}",
                        phone=f"0215000{n:04d}",
                        consent_outbound=True,
                        consent_hospital=consent,
                        lat=1.0,
                        lng=1.0,
                    )
                )
                for k in (1, 2):
                    tx.conn.execute(
                        insert(contact).values(
                            id=str(ULID()), elder_no=f"E{n}", name="女儿", phone=f"13{k}{n:08d}", priority=k
                        )
                    )

        await store.write(people)
        at = Scene(store, staff, policy, recall_s, **seats)
        if started:
            at.start()
        try:
            yield at
            assert at.running is not None
            assert not at.running.done()
        finally:
            if at.running is not None:
                at.running.cancel()
                await asyncio.gather(at.running, return_exceptions=True)


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
