"""Carries every open incident on: rings the seats, dials the family, until a person closes it.

Driven by what is on record, never by memory: each round reads the incident, decides (`domain/cascade.py`,
`domain/staffing.py`), puts the attempts on record and only then dials. A restart is just another round.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ivr import clock
from ivr.domain import cascade, recall, redial, staffing
from ivr.domain.incident import IncidentView, LegState, Outcome, Role
from ivr.domain.numbers import is_dialable
from ivr.services.helper_round import NOTHING, HelperRound
from ivr.services.ports import Categories, DialDoubtful, DialRefused, Incidents, Legs, Telephony
from ivr.services.storm_desk import StormDesk, Turn

log = logging.getLogger(__name__)

# Every open incident is looked at again after this, whatever was missed.
AUDIT_S = 15.0
AFTER_FAULT_S = 1.0
NEVER_S = float("inf")
RING_OVER_S = 5.0
"""Asterisk ends a dial by the wall clock: set back by an hour, a phone would ring for an hour, and the next wait."""
URGENCY = {"service.urgent_help": 2, "service.medical": 1}
"""Of an ordinary call by its ticket's category; all others are 0. Who breaks in takes the least urgent."""


@dataclass(frozen=True, slots=True)
class RunnerPolicy:
    family: cascade.CascadePolicy
    staff: staffing.StaffingPolicy
    duty_phone: str = ""
    family_ring_s: float = 25.0
    agent_ring_s: float = 30.0
    redial: redial.RedialPolicy = field(default_factory=redial.RedialPolicy)
    recall: recall.RecallPolicy = field(default_factory=recall.RecallPolicy)
    urgency: Mapping[str, int] = field(default_factory=lambda: dict(URGENCY))
    helper_ring_s: float = 30.0


def _utc_now() -> datetime:
    return clock.now()


def _ringing(view: IncidentView) -> list[tuple[str, datetime]]:
    """Attempts that ring, and until when they may."""
    return [
        (leg.attempt_id, leg.ring_until)
        for leg in view.legs
        if leg.live and leg.state in (LegState.DIALLED, LegState.RINGING) and leg.attempt_id and leg.ring_until
    ]


class IncidentRunner:
    """One task per open incident, inside `run`."""

    def __init__(
        self,
        incidents: Incidents,
        legs: Legs,
        telephony: Telephony,
        policy: RunnerPolicy,
        calls: Categories | None = None,
        now: Callable[[], datetime] = _utc_now,
        helpers: HelperRound | None = None,
        *,
        gate: StormDesk | None = None,
    ) -> None:
        self._helpers = helpers
        self._incidents = incidents
        self._legs = legs
        self._telephony = telephony
        self._policy = policy
        self._calls = calls
        self._now = now
        self._gate = gate
        self._wake: dict[str, asyncio.Event] = {}
        self._searching: set[str] = set()
        self._unanswered: set[str] = set()
        self._told: dict[str, set[str]] = {}
        """Of each attended incident the attempts that heard already that another has come; after a restart they are
        told again."""
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Attend all open incidents until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            while True:
                # The journal tells of new ones at once; this finds any that were missed.
                with contextlib.suppress(Exception):
                    for incident_id in await self._incidents.open_ids():
                        self.wake(incident_id)
                await asyncio.sleep(AUDIT_S)

    def wake(self, incident_id: str, *, closed: bool = False) -> None:
        """Something about this incident changed (or it is new)."""
        known = self._wake.get(incident_id)
        if known is not None:
            known.set()
        elif self._group is not None and self._is_due(incident_id, closed=closed):
            self._wake[incident_id] = asyncio.Event()
            self._group.create_task(self._attend(incident_id), name=f"incident-{incident_id}")

    def _is_due(self, incident_id: str, *, closed: bool) -> bool:
        """In a storm only those have a task for whom something is done. What is closed still has phones to stop."""
        if self._gate is None:
            return True
        return self._gate.may_have_lines(incident_id) if closed else self._gate.admits(incident_id)

    def wake_all(self) -> None:
        """The seats changed: an incident that still looks for a person may have somebody new to ring."""
        for incident_id in self._searching:
            self._wake[incident_id].set()

    async def _attend(self, incident_id: str) -> None:
        wake = self._wake[incident_id]
        try:
            while True:
                wake.clear()
                try:
                    again_s = await self._round(incident_id)
                except asyncio.CancelledError:
                    raise
                except Exception as exc:
                    log.error("incident %s: a round failed: %s", incident_id, type(exc).__name__)
                    again_s = AFTER_FAULT_S
                if again_s is None:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(again_s):
                        await wake.wait()
        finally:
            self._searching.discard(incident_id)
            self._unanswered.discard(incident_id)
            self._told.pop(incident_id, None)
            del self._wake[incident_id]

    async def _round(self, incident_id: str) -> float | None:
        """One look, one decision, its dials. Seconds until the next look, or None when the incident is closed."""
        view = await self._legs.view(incident_id, self._now())
        if view is None:
            return None
        if view.closed:
            # Who talks in the room goes on talking; phones that merely ring are stopped.
            await self._cancel(view, [leg.id for leg in view.legs if leg.state in (LegState.DIALLED, LegState.RINGING)])
            return None
        if not self._telephony.is_up:
            return 0.5
        if view.dial_after is not None and (hold_s := (view.dial_after - self._now()).total_seconds()) > 0:
            return min(AUDIT_S, hold_s)  # a location without its alarm so far
        if self._gate is not None and not self._gate.admits(incident_id):
            return None  # the storm desk wakes it when its turn has come
        policy = self._policy
        turn = self._turn(view)
        seats = turn.seats
        staff = staffing.next_step(
            view,
            seats.keys(),
            policy.duty_phone if turn.duty else "",
            self._staffing(turn),
            self._now(),
            await self._busy(view) if turn.duty else {},
        )
        again = redial.RedialStep() if turn.asked_only else redial.next_step(view, self._redial(), self._now())
        recalled = recall.next_step(view, policy.recall, self._now())
        may = self._family_order(view)
        family = self._family(view, may, everybody=again.everybody)
        helped = await self._helpers.decide(view, self._now()) if self._helpers else NOTHING
        (self._searching.add if staff.searching else self._searching.discard)(view.id)
        by_id = {leg.id: leg for leg in view.legs}
        relatives = family.dial[: turn.family]
        if self._gate is not None:
            relatives = relatives[: self._gate.lines_for(view, len(relatives))]
        wrong = [leg.id for leg in view.legs if leg.is_not_his and leg.state in (LegState.DIALLED, LegState.RINGING)]
        stopped = [leg_id for leg_id in (*family.cancel, *wrong) if leg_id not in helped.wanted]
        deeds = [
            *self._call_staff(view, staff, seats),
            *self._call_elder(view, again, recalled),
            *(self._dial(view, Role.FAMILY, by_id[one].phone, policy.family_ring_s) for one in relatives),
            *(self._dial(view, role, phone, policy.helper_ring_s, name) for role, phone, name in helped.dial),
            self._cancel(view, [*staff.cancel, *stopped, *helped.cancel]),
            self._inform(view, [by_id[one].attempt_id for one in family.inform]),
            self._stop_late(view),
        ]
        reached = any(leg.ever_accepted and not leg.is_not_his for leg in view.of(Role.FAMILY))
        if family.exhausted and view.of(Role.FAMILY) and not reached:
            deeds.append(self._incidents.escalated(view.id, "family_not_reached"))
        if helped.late:
            deeds.append(self._incidents.escalated(view.id, "worker_late"))
        # No TaskGroup: one that fails would stop the others between their record and their dial.
        with self._gate.dialling(len(relatives)) if self._gate else contextlib.nullcontext():
            results = await asyncio.gather(*deeds, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        if self._gate is not None and (family.exhausted or reached):
            self._gate.family_done(view.id)
        if may is cascade.Order.HOLD:
            return 1.0
        waits = (
            staff.look_again_s, again.look_again_s, helped.look_again_s, recalled.look_again_s, family.look_again_s,
        )  # fmt: skip
        ringing = [max(1.0, (until - self._now()).total_seconds()) for _, until in _ringing(view)]
        return min([AUDIT_S, *(wait or AUDIT_S for wait in waits), *ringing])

    def _staffing(self, turn: Turn) -> staffing.StaffingPolicy:
        """In a storm the phones behind the seats are rung for one incident at a time, and a hospital for none as long
        as seats work: they are not where `staffing` looks for them, but they exist."""
        staff = self._policy.staff
        if not turn.duty:
            return replace(staff, supervisors=(), on_call=(), hospital_after_s=NEVER_S)
        return staff if turn.hospital else replace(staff, hospital_after_s=NEVER_S)

    def _family_order(self, view: IncidentView) -> cascade.Order:
        return cascade.order(
            cascade.Family(view.family) if view.family else None,
            self._policy.family,
            attended=any(leg.ever_accepted for leg in view.of(Role.AGENT, Role.SUPERVISOR)),
            waited_s=(self._now() - view.opened_at).total_seconds(),
        )

    def _family(self, view: IncidentView, may: cascade.Order, *, everybody: bool) -> cascade.CascadeStep:
        """Each new cry for help, and the moment when everybody is called, is worth a round more: who has been tried as
        often as it is tried, and did not come, is dialled again."""
        policy = self._policy.family
        legs = [leg for leg in view.of(Role.FAMILY) if is_dialable(leg.phone) and not leg.is_not_his]
        parallel = max(policy.parallel, len(legs)) if everybody else policy.parallel
        rounds = policy.rounds + view.cries + everybody
        return cascade.next_step(legs, replace(policy, parallel=parallel, rounds=rounds), may, self._now())

    def _call_staff(
        self, view: IncidentView, staff: staffing.StaffingStep, seats: Mapping[str, str]
    ) -> list[Coroutine[Any, Any, None]]:
        policy = self._policy
        deeds = [self._dial(view, Role.AGENT, one, policy.agent_ring_s, seats[one]) for one in staff.ring_agents]
        if staff.break_in is not None:
            deeds.append(self._break_in(view, staff.break_in))
        behind = (
            ((policy.duty_phone,) if staff.ring_duty else (), "值班电话", "duty_phone"),
            (staff.ring_supervisors, "值班长", "supervisor"),
            (staff.ring_on_call, "备勤手机", "on_call"),
        )
        for phones, name, why in behind:
            deeds += [self._dial(view, Role.SUPERVISOR, phone, policy.agent_ring_s, name) for phone in phones]
            if phones:
                deeds.append(self._incidents.escalated(view.id, why))
        if staff.ring_hospital:
            deeds.append(self._call_hospital(view))
        return deeds

    async def _call_hospital(self, view: IncidentView) -> None:
        if self._helpers is not None and await self._helpers.hospital(view):
            await self._incidents.escalated(view.id, "hospital")

    def _call_elder(
        self, view: IncidentView, again: redial.RedialStep, recalled: recall.RecallStep
    ) -> list[Coroutine[Any, Any, None]]:
        deeds: list[Coroutine[Any, Any, None]] = []
        if view.elder_phone and is_dialable(view.elder_phone) and (again.dial or recalled.dial):
            ring_s = again.ring_s if again.dial else self._policy.recall.ring_s
            deeds.append(self._dial(view, Role.ELDER, view.elder_phone, ring_s, "老人"))
        if not recalled.unanswered:
            self._unanswered.discard(view.id)
        elif view.id not in self._unanswered:
            self._unanswered.add(view.id)
            deeds.append(self._incidents.worsened(view.id, "no_answer"))
        if again.everybody and self._helpers is not None:
            deeds.append(self._helpers.worker(view))
        if again.propose_ambulance:
            deeds.append(self._incidents.escalated(view.id, "propose_120"))
        return deeds

    def _redial(self) -> redial.RedialPolicy:
        storm = self._gate is not None and self._gate.active
        return replace(self._policy.redial, alone_too=False) if storm else self._policy.redial

    def _turn(self, view: IncidentView) -> Turn:
        if self._gate is not None:
            return self._gate.turn(view)
        return Turn(self._telephony.idle_seats(), len(view.legs), duty=True)

    async def _dial(self, view: IncidentView, role: Role, phone: str, ring_s: float, name: str = "") -> None:
        attempt = await self._legs.begin_attempt(view.id, role, phone, name=name, lease_s=ring_s + RING_OVER_S)
        if attempt is None:
            return
        try:
            await self._telephony.dial(attempt, role, phone, view.id, ring_s)
        except DialRefused:
            await self._legs.ended(attempt, Outcome.LOST if not self._telephony.is_up else Outcome.FAILED)
        except DialDoubtful:
            log.warning("incident %s: a dial is in doubt, reconciliation will tell", view.id)

    async def _busy(self, view: IncidentView) -> dict[str, staffing.BusySeat]:
        """Seats on ordinary calls, and how urgent each of these is; asked for only while nobody is there."""
        if any(leg.live and leg.accepted_at for leg in view.of(Role.AGENT, Role.SUPERVISOR)):
            return {}
        talks = self._telephony.busy_seats()
        if not talks:
            return {}
        categories = await self._calls.categories([t.caller for t in talks.values()]) if self._calls else {}
        urgency = self._policy.urgency
        return {
            extension: staffing.BusySeat(talk.since, urgency.get(categories.get(talk.caller) or "", 0))
            for extension, talk in talks.items()
        }

    async def _break_in(self, view: IncidentView, extension: str) -> None:
        """On record first, under the id of the channel that the seat talks on; then both are moved."""
        talk = self._telephony.busy_seats().get(extension)
        if talk is None:
            return
        attempt = await self._legs.begin_attempt(view.id, Role.AGENT, extension, name=extension, uniqueid=talk.seat)
        if attempt is None:
            return
        try:
            await self._telephony.break_in(extension, attempt, view.id)
        except DialRefused:
            await self._legs.ended(attempt, Outcome.FAILED)
        except DialDoubtful:
            log.warning("incident %s: a break-in is in doubt, reconciliation will tell", view.id)

    async def _inform(self, view: IncidentView, attempts: list[str | None]) -> None:
        told = self._told.setdefault(view.id, set())
        for attempt in attempts:
            if attempt is not None and attempt not in told:
                told.add(attempt)
                await self._telephony.interrupt(attempt)

    async def _stop_late(self, view: IncidentView) -> None:
        now = self._now()
        for attempt, until in _ringing(view):
            if until <= now:
                await self._legs.mark(attempt, Outcome.NO_ANSWER)
                await self._telephony.hang_up(attempt)

    async def _cancel(self, view: IncidentView, leg_ids: list[str]) -> None:
        for leg in view.legs:
            if leg.id in leg_ids and leg.live and leg.attempt_id is not None:
                await self._legs.mark(leg.attempt_id, Outcome.CANCELLED)
                await self._telephony.hang_up(leg.attempt_id)
