"""The engine: joins the rooms. FastAGI and AMI on one side, the store on the other, incidents in between."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from datetime import UTC, datetime

from ivr.alarms.spool import SpoolWatch
from ivr.asterisk.fastagi import AgiServer
from ivr.asterisk.link import AsteriskLink, Item
from ivr.asterisk.listening import WaitingEars
from ivr.asterisk.node import AsteriskNode
from ivr.asterisk.steps import Steps
from ivr.domain.cascade import CascadePolicy
from ivr.domain.staffing import StaffingPolicy
from ivr.record.shelf import Shelf
from ivr.record.watch import RecordingWatch
from ivr.secrets_file import load_secrets
from ivr.services.incident_desk import IncidentDesk
from ivr.services.incident_runner import IncidentRunner, RunnerPolicy
from ivr.services.listening_desk import ListeningDesk
from ivr.services.ports import StoreUnavailable
from ivr.services.ticket_desk import TicketDesk
from ivr.settings import Settings
from ivr.speech.status import SpeechStatus
from ivr.store.calls import SqlCalls
from ivr.store.db import Store
from ivr.store.heard import SqlHeard
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.named import SqlNamed
from ivr.store.recordings import SqlRecordings
from ivr.store.seats import SqlSeats
from ivr.store.tickets import SqlTickets
from ivr.voice.calls import SpokenNames
from ivr.voice.library import Library

log = logging.getLogger(__name__)

STATUS_EVERY_S = 1.0
KEEP_FREE = 0
"""Ordinary streams that stay free when somebody begins to wait; those of emergencies are kept by the workers."""
SEATS_CHANGED = ("agent.state_changed", "user.added")


class Engine:
    """Everything one engine process holds. Nothing here is truth: all of it can be read again from the store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        secrets = load_secrets(settings.secrets_file)
        owner = f"{settings.node}-{os.getpid()}"
        self.settings = settings
        self.journal = Journal(store)
        incidents = SqlIncidents(store)
        legs = SqlLegs(store, settings.node, owner)
        calls = SqlCalls(store, settings.node)
        seats = SqlSeats(store)
        tickets = TicketDesk(SqlTickets(store), calls)
        self.link = AsteriskLink(settings.ami_port, secrets.ami_reader, secrets.ami_actor, self._heard)
        speech = SpeechStatus(settings.data_dir)
        ears = WaitingEars(self.link, lambda: settings.listen_while_waiting and speech.free(urgent=False) > KEEP_FREE)
        self.node = AsteriskNode(self.link, legs, calls, seats, trunk_caller_id=settings.trunk_caller_id, ears=ears)
        self.runner = IncidentRunner(
            incidents,
            legs,
            self.node,
            RunnerPolicy(
                CascadePolicy(settings.family_parallel, settings.family_rounds),
                StaffingPolicy(),
                duty_phone=settings.duty_phone,
                family_ring_s=settings.family_ring_s,
                agent_ring_s=settings.agent_ring_s,
            ),
        )
        self.spool = SpoolWatch(settings.spool_dir, settings.node, settings.one_key_number, incidents, tickets, calls)
        self.recordings = RecordingWatch(
            Shelf(settings.recordings_dir), SqlRecordings(store, settings.node), settings.recordings_keep_days
        )
        sounds = settings.asterisk_dir / "data" / "sounds" / "zh_CN"
        self.steps = Steps(
            settings.node,
            IncidentDesk(incidents, legs, calls, SpokenNames(Library(settings.spoken_dir), sounds, SqlNamed(store))),
            tickets,
            seats,
            one_key_number=settings.one_key_number,
            duty_phone=bool(settings.duty_phone),
            sounds=sounds,
            urgent_ears=lambda: "urgent" if speech.free(urgent=True) else None,
            ordinary_ears=lambda: "ordinary" if speech.free(urgent=False) else None,
            listening=ListeningDesk(SqlHeard(store, settings.node), incidents, legs, ears),
        )
        self.agi = AgiServer(settings.agi_port, self.steps.handle)
        self.node.on_seats_changed = self.runner.wake_all
        self.link.on_up = self._asterisk_back
        self.link.on_down = self._asterisk_lost

    async def _heard(self, item: Item) -> None:
        await self.node.heard(item)

    async def _asterisk_back(self) -> None:
        log.info("Asterisk is reachable")
        await self._note("node.asterisk_back")
        self.runner.wake_all()

    async def _asterisk_lost(self) -> None:
        log.error("Asterisk is not reachable")
        self.node.devices.forget()
        await self._note("node.asterisk_lost")

    async def _note(self, kind: str) -> None:
        try:
            await self.journal.note(kind, node=self.settings.node, pid=os.getpid())
        except StoreUnavailable:
            log.error("%s could not be journalled", kind)

    async def follow_journal(self, after: int) -> None:
        """What this process or the console put on record sets things moving."""
        async for batch in self.journal.follow(after, besides_incidents=SEATS_CHANGED):
            for event in batch:
                if event.incident_id is not None:
                    self.runner.wake(event.incident_id)
                    self.recordings.wake(event.incident_id, event.kind)
                if event.kind in SEATS_CHANGED and self.link.is_up:
                    await self._sync_seats()

    async def _sync_seats(self) -> None:
        try:
            await self.node.sync_seats()
        except Exception as exc:
            log.warning("seats not synchronised now: %s", type(exc).__name__)

    async def write_status(self) -> None:
        """`run/engine.json`, for /health and the wall; not synced to disk, it is only ever about now."""
        path = self.settings.data_dir.resolve() / "run" / "engine.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            status = {
                "at": datetime.now(UTC).isoformat(),
                "pid": os.getpid(),
                "ami": "up" if self.link.is_up else "down",
                "agi_sessions": self.agi.sessions,
                "devices": self.node.devices.all(),
            }
            temporary = path.with_suffix(".new")
            try:
                temporary.write_text(json.dumps(status))
                temporary.replace(path)
            except OSError as exc:  # a full disk must not end the engine
                log.error("status not written: %s", exc.strerror)
            await asyncio.sleep(STATUS_EVERY_S)

    async def run(self) -> None:
        """Serve until cancelled."""
        # Taken before anybody looks for open incidents: one opened in between is on this feed or on that list.
        seen = await self.journal.last_seq()
        async with self.agi, asyncio.TaskGroup() as group:
            await self._note("node.started")
            group.create_task(self.link.run(), name="asterisk-link")
            group.create_task(self.node.run(), name="asterisk-audit")
            group.create_task(self.runner.run(), name="incidents")
            group.create_task(self.follow_journal(seen), name="journal")
            group.create_task(self.spool.run(), name="spool")
            group.create_task(self.recordings.run(), name="recordings")
            group.create_task(self.write_status(), name="status")


async def main(settings: Settings) -> None:
    """`ivr engine`."""
    async with Store(settings.effective_database_url, name="engine") as store:
        engine = Engine(settings, store)
        try:
            await engine.run()
        finally:
            await engine._note("node.stopped")
