"""The engine: joins the rooms. FastAGI and AMI on one side, the store on the other, incidents in between."""

from __future__ import annotations

import asyncio
import contextlib
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
from ivr.asterisk.trunks import FIRST, SECOND, Trunks
from ivr.clock import clock
from ivr.domain.cascade import CascadePolicy
from ivr.domain.offer import OfferPolicy
from ivr.domain.package import WORSE
from ivr.domain.pushing import PushPolicy
from ivr.domain.recall import RecallPolicy
from ivr.domain.redial import RedialPolicy
from ivr.domain.staffing import StaffingPolicy
from ivr.domain.storm import StormPolicy
from ivr.domain.wishes import WishPolicy
from ivr.errors import StartError
from ivr.push.client import HttpPusher
from ivr.record.shelf import Shelf
from ivr.record.watch import RecordingWatch
from ivr.secrets_file import load_secrets
from ivr.services.helper_round import HelperRound
from ivr.services.incident_desk import IncidentDesk
from ivr.services.incident_runner import IncidentRunner, RunnerPolicy
from ivr.services.listening_desk import ListeningDesk
from ivr.services.packages import PackageSender
from ivr.services.ports import StoreUnavailable
from ivr.services.reconcile import GRACE_S
from ivr.services.storm_desk import StormDesk
from ivr.services.ticket_desk import TicketDesk
from ivr.services.triage_desk import TriageDesk
from ivr.settings import Settings
from ivr.speech.models import NO_MODEL, find_model
from ivr.speech.status import SpeechStatus
from ivr.store.calls import SqlCalls
from ivr.store.db import Store
from ivr.store.heard import SqlHeard
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.named import SqlNamed
from ivr.store.packages import SqlPackages
from ivr.store.recordings import SqlRecordings
from ivr.store.seats import SqlSeats
from ivr.store.storm import SqlStorm
from ivr.store.tickets import SqlTickets
from ivr.store.wishes import SqlWishes
from ivr.voice.calls import SpokenNames
from ivr.voice.helpers import SpokenForHelpers
from ivr.voice.library import Library

log = logging.getLogger(__name__)

STATUS_EVERY_S = 1.0
KEEP_FREE = 0
"""Ordinary streams that stay free when somebody begins to wait; those of emergencies are kept by the workers."""
PACKAGE_NEWS = ("package.queued", *WORSE)
SEATS_CHANGED = ("agent.state_changed", "user.added")
STORM_CHANGED = ("storm.switched",)
LOUD = ("incident.opened", "incident.alarm_joined", "incident.worsened", "call.arrived")
ASKED = ("incident.helper_wanted", "incident.family_started", "leg.wanted")
"""A person's word: the storm desk looks at once, also outside a storm, where it has left who is safe alone."""


class Engine:
    """Everything one engine process holds. Nothing here is truth: all of it can be read again from the store."""

    def __init__(self, settings: Settings, store: Store) -> None:
        secrets = load_secrets(settings.secrets_file)
        owner = f"{settings.node}-{os.getpid()}"
        self.settings = settings
        self.journal = Journal(store)
        incidents = SqlIncidents(
            store, join_window_s=settings.join_window_s, clock_tolerance_s=settings.clock_tolerance_s
        )
        legs = SqlLegs(store, settings.node, owner)
        calls = SqlCalls(store, settings.node)
        seats = SqlSeats(store)
        tickets = TicketDesk(SqlTickets(store), calls)
        self.link = AsteriskLink(settings.ami_port, secrets.ami_reader, secrets.ami_actor, self._heard)
        speech = SpeechStatus(settings.data_dir)
        ears = WaitingEars(self.link, lambda: settings.listen_while_waiting and speech.free(urgent=False) > KEEP_FREE)
        self.node = AsteriskNode(
            self.link, legs, calls, seats,
            trunk_caller_id=settings.trunk_caller_id, parked_wait_s=settings.parked_wait_s, ears=ears,
        )  # fmt: skip
        asked = (FIRST, SECOND) if settings.second_trunk_host else (FIRST,) if settings.trunk_asked_s else ()
        self.trunks = Trunks(self.link, asked, self.node.take_back)
        storm_policy = StormPolicy(
            waiting_per_seat=settings.storm_waiting_per_seat,
            alarms_per_min=settings.storm_alarms_per_min,
            ports=settings.trunk_ports,
            reserved_share=settings.trunk_reserved_share,
            tries=settings.triage_tries,
            again_s=settings.triage_again_s,
        )
        storm_records = SqlStorm(store, wish_tries=settings.wish_tries)
        self.storm = StormDesk(storm_records, legs, self.node, storm_policy, ring_s=settings.triage_ring_s)
        self.runner = IncidentRunner(
            incidents,
            legs,
            self.node,
            RunnerPolicy(
                CascadePolicy(
                    settings.family_parallel,
                    settings.family_rounds,
                    by_agent=settings.family_start == "agent",
                    agent_patience_s=settings.family_agent_patience_s,
                ),
                _staffing(settings),
                duty_phone=settings.duty_phone,
                family_ring_s=settings.family_ring_s,
                agent_ring_s=settings.agent_ring_s,
                recall=RecallPolicy(
                    every_s=settings.recall_every_s, again_s=settings.recall_again_s, missed=settings.recall_missed
                ),
                redial=RedialPolicy(
                    first_after_s=settings.redial_first_s,
                    tries=settings.redial_tries,
                    pause_s=settings.redial_pause_s,
                    ring_s=settings.redial_ring_s,
                    later_every_s=settings.redial_later_s,
                    everybody_after_s=settings.everybody_after_s,
                    propose_after_s=settings.propose_ambulance_s,
                ),
                helper_ring_s=settings.helper_ring_s,
            ),
            calls,
            gate=self.storm,
            helpers=HelperRound(
                SqlWishes(store, tries=settings.wish_tries, push_to_ambulance=bool(settings.ambulance_endpoint)),
                OfferPolicy(
                    next_after_s=settings.worker_offer_s, rounds=settings.worker_rounds, most=settings.workers_most
                ),
                policy=WishPolicy(tries=settings.wish_tries),
                always=settings.offer_worker == "always",
                ambulance=settings.ambulance_number,
                may_offer=settings.offer_worker != "never",
            ),
        )
        if settings.ambulance_endpoint and not secrets.ambulance_secret:
            raise StartError(
                f"设置了 ambulance_endpoint，但 {settings.secrets_file} 里没有 ambulance_secret",
                f"ambulance_endpoint is set, but {settings.secrets_file} has no ambulance_secret",
            )
        self.pusher = HttpPusher(
            settings.push_timeout_s, insecure=settings.push_insecure, ca_file=settings.push_ca_file
        )
        self.packages = PackageSender(
            SqlPackages(store, owner, settings.trunk_caller_id, PushPolicy(settings.push_give_up_h * 3600)),
            self.pusher,
            settings.node,
            ambulance=(settings.ambulance_endpoint, secrets.ambulance_secret) if settings.ambulance_endpoint else None,
        )
        self.storm.wake_runner = self.runner.wake
        self.spool = SpoolWatch(settings.spool_dir, settings.node, settings.one_key_number, incidents, tickets, calls)
        self.recordings = RecordingWatch(
            Shelf(settings.recordings_dir), SqlRecordings(store, settings.node), settings.recordings_keep_days
        )
        sounds = settings.asterisk_dir / "data" / "sounds" / "zh_CN"
        self.steps = Steps(
            settings.node,
            IncidentDesk(
                incidents,
                legs,
                calls,
                SpokenNames(Library(settings.spoken_dir), sounds, SqlNamed(store)),
                SpokenForHelpers(Library(settings.spoken_dir), sounds, SqlNamed(store)),
                one_relative=settings.family_join == "first",
                recording_is_said=settings.record_rooms and settings.announce_recording,
            ),
            tickets,
            seats,
            one_key_number=settings.one_key_number,
            duty_phone=bool(settings.duty_phone),
            sounds=sounds,
            urgent_ears=lambda: "urgent" if speech.free(urgent=True) else None,
            ordinary_ears=lambda: "ordinary" if speech.free(urgent=False) else None,
            ask_wish=settings.ask_wish_when_busy,
            listening=ListeningDesk(SqlHeard(store, settings.node), incidents, legs, ears),
            triage=TriageDesk(storm_records, legs, storm_policy),
        )
        self.agi = AgiServer(settings.agi_port, self.steps.handle)
        self.node.on_seats_changed = self._seats_changed
        self.link.on_up = self._asterisk_back
        self.link.on_down = self._asterisk_lost

    def _seats_changed(self) -> None:
        self.runner.wake_all()
        if self.storm.active:
            self.storm.wake()

    async def _heard(self, item: Item) -> None:
        await self.node.heard(item)

    async def _asterisk_back(self) -> None:
        log.info("Asterisk is reachable")
        await self._note("node.asterisk_back")
        self.runner.wake_all()

    async def _asterisk_lost(self) -> None:
        log.error("Asterisk is not reachable")
        self.node.forget()
        await self._note("node.asterisk_lost")

    async def _note(self, kind: str) -> None:
        try:
            await self.journal.note(kind, node=self.settings.node, pid=os.getpid())
        except StoreUnavailable:
            log.error("%s could not be journalled", kind)

    async def follow_journal(self, after: int) -> None:
        """What this process or the console put on record sets things moving."""
        async for batch in self.journal.follow(after, besides_incidents=(*SEATS_CHANGED, *STORM_CHANGED)):
            for event in batch:
                if event.incident_id is not None:
                    self._incident_changed(event.kind, event.incident_id)
                    if event.data.get("source") == "lifeline":
                        # His line may have gone long ago: he is called as soon as that can be known.
                        self.node.audit_in(GRACE_S + 0.2)
                    if event.kind in PACKAGE_NEWS:
                        self.packages.wake()
                    self.recordings.wake(event.incident_id, event.kind)
                elif event.kind in STORM_CHANGED:
                    self.storm.wake()
                if event.kind in SEATS_CHANGED and self.link.is_up:
                    await self._sync_seats()

    def _incident_changed(self, kind: str, incident_id: str) -> None:
        if kind == "call.arrived":
            self.storm.called(incident_id)
        if kind in LOUD:
            self.storm.cried_again(incident_id)
        self.runner.wake(incident_id, closed=kind == "incident.closed")
        if self.storm.active or kind == "incident.opened" or kind in ASKED:
            self.storm.wake()

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
                "trunk": self.trunks.state(),
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
        with contextlib.suppress(Exception):  # a storm goes on where it was: not 2,000 incidents at once meanwhile
            await self.storm.look()
        async with self.pusher, self.agi, asyncio.TaskGroup() as group:
            await self._note("node.started")
            group.create_task(self.link.run(), name="asterisk-link")
            group.create_task(self.node.run(), name="asterisk-audit")
            group.create_task(self.runner.run(), name="incidents")
            group.create_task(self.storm.run(), name="storm")
            group.create_task(self.trunks.run(), name="trunks")
            group.create_task(self.follow_journal(seen), name="journal")
            group.create_task(self.spool.run(), name="spool")
            group.create_task(self.packages.run(), name="packages")
            group.create_task(self.recordings.run(), name="recordings")
            group.create_task(self.write_status(), name="status")


def _staffing(settings: Settings) -> StaffingPolicy:
    return StaffingPolicy(
        break_in_s=settings.break_in_s or None,
        unanswered_break_in_s=settings.unanswered_break_in_s,
        duty_after_s=settings.duty_after_s,
        hospital_tries=settings.wish_tries,
        supervisor_after_s=settings.supervisor_after_s,
        on_call_after_s=settings.on_call_after_s,
        hospital_after_s=settings.hospital_after_s,
        supervisors=settings.supervisors,
        on_call=settings.on_call,
    )


def tell_of_speech(settings: Settings) -> None:
    """Without a model the supervisor starts no speech part: nobody else would put it into a log."""
    if find_model(settings) is None:
        log.warning(NO_MODEL)


async def main(settings: Settings) -> None:
    """`ivr engine`."""
    tell_of_speech(settings)
    async with Store(settings.effective_database_url, name="engine") as store:
        engine = Engine(settings, store)
        with contextlib.suppress(Exception):
            clock.not_before(await engine.journal.last_at())
        try:
            await engine.run()
        finally:
            await engine._note("node.stopped")
