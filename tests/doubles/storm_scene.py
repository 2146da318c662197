"""The storm desk and the incident runner together, on a real store, with a telephony that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import insert
from ulid import ULID

from ivr.domain.cascade import CascadePolicy
from ivr.domain.incident import NewAlarm, Role
from ivr.domain.offer import OfferPolicy
from ivr.domain.recall import RecallPolicy
from ivr.domain.staffing import StaffingPolicy
from ivr.domain.storm import StormPolicy
from ivr.domain.wishes import WishPolicy
from ivr.services.helper_round import HelperRound
from ivr.services.incident_runner import IncidentRunner, RunnerPolicy
from ivr.services.storm_desk import StormDesk
from ivr.store.db import Store
from ivr.store.incidents import SqlIncidents
from ivr.store.legs import SqlLegs
from ivr.store.migrate import upgrade
from ivr.store.storm import SqlStorm
from ivr.store.tables import contact, elder, worker
from ivr.store.tx import Tx
from ivr.store.wishes import SqlWishes
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
