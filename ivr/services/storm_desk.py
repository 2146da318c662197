"""A storm carried by one task: who is asked by machine, for whom seats ring, whose family is dialled, how many at once.

In a storm an incident has a task of its own (`incident_runner`) only while something is done for it; the others cost
nothing. All is read from the record at each look: a restart is just another look. The rules are in `domain/storm.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ivr import clock
from ivr.domain import storm
from ivr.domain.cascade import Family
from ivr.domain.incident import IncidentView, Outcome, Role
from ivr.domain.numbers import is_dialable
from ivr.domain.storm import StormPolicy, Triage
from ivr.services.ports import DialDoubtful, DialRefused, Legs, Telephony
from ivr.services.storm_lines import Lines, TrunkCount
from ivr.services.storm_lines import ranked as ranked_in
from ivr.services.storm_lines import waiting as waiting_in
from ivr.services.storm_ports import OpenIncident, StormLook, StormRecords

log = logging.getLogger(__name__)

LOOK_AT_MOST_EVERY_S = 0.25
LOOK_IN_STORM_S = 1.0
LOOK_OTHERWISE_S = 15.0
AFTER_FAULT_S = 1.0
PROMISE_S = 4.0  # from handing out a seat to its ringing on record
FAMILY_AT_ONCE = 2
STAFF = (Role.AGENT, Role.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one round of an incident may do."""

    seats: dict[str, str]
    family: int
    duty: bool
    hospital: bool = True  # as the last resort of the search for a person
    asked_only: bool = False  # what people have asked for is done, and nobody is sought


class StormDesk:
    """Implements the runner's `Gate`; `run` belongs into the engine's TaskGroup."""

    def __init__(
        self,
        records: StormRecords,
        legs: Legs,
        telephony: Telephony,
        policy: StormPolicy,
        *,
        ring_s: float = 25.0,
        now: Callable[[], datetime] = lambda: clock.now(),
    ) -> None:
        self._records = records
        self._legs = legs
        self._telephony = telephony
        self._policy = policy
        self._ring_s = ring_s
        self._now = now
        self._news = asyncio.Event()
        self._active = False
        self._safe: frozenset[str] = frozenset()  # said so themselves
        self._shut: frozenset[str] = frozenset()  # of these, outside a storm: left to a person, who has asked nothing
        self._cried: set[str] = set()  # since the present look began
        self._asked: set[str] = set()  # by people, and not done yet
        self._in_play: set[str] = set()
        self._callers: set[str] = set()  # called us, and are on the line
        self._just_called: dict[str, float] = {}
        self._family: Counter[str] = Counter()
        self._tired: set[str] = set()  # family tried to the end, or come
        self._seats: dict[str, tuple[str, float]] = {}  # extension -> (incident, until)
        self._duty_for: str | None = None
        self._seats_work = False
        self._with_lines: frozenset[str] = frozenset()
        self._spare = 0  # lines that a new emergency may take for its family
        self._trunk = TrunkCount()
        self._short_of_lines: set[str] = set()  # outside a storm: relatives were left out, there was no line for them
        self.wake_runner: Callable[[str], None] = lambda _incident: None

    @property
    def active(self) -> bool:
        return self._active

    def wake(self) -> None:
        """Something changed: an alarm, an answer, a seat, a person's word."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            began = time.monotonic()
            self._news.clear()
            again_s = LOOK_IN_STORM_S if self._active else LOOK_OTHERWISE_S
            try:
                await self.look()
                again_s = LOOK_IN_STORM_S if self._active or self._short_of_lines else LOOK_OTHERWISE_S
            except Exception as exc:
                log.error("a look at the storm failed: %s", type(exc).__name__)
                again_s = AFTER_FAULT_S
            took = time.monotonic() - began
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(again_s):
                    await self._news.wait()
            # The more is open the longer a look takes: it never has more than a third of the time.
            rest_s = max(LOOK_AT_MOST_EVERY_S, min(LOOK_IN_STORM_S, 3 * took))
            await asyncio.sleep(max(0.0, rest_s - (time.monotonic() - began)))

    # ---- the runner asks

    def admits(self, incident_id: str) -> bool:
        """Whether anything is to be done for this incident now; else it needs no task."""
        if not self._active:
            return incident_id not in self._shut
        return incident_id in self._in_play or incident_id in self._callers

    def may_have_lines(self, incident_id: str) -> bool:
        return not self._active or incident_id in self._with_lines or self.admits(incident_id)

    def called(self, incident_id: str) -> None:
        """Somebody pressed and is on the line: first of all, and now."""
        if self._active:
            self._callers.add(incident_id)
            self._just_called[incident_id] = time.monotonic()
        self._tired.discard(incident_id)

    def cried_again(self, incident_id: str) -> None:
        """Another alarm of the same: he may have been safe before, and his family tried."""
        self._shut -= {incident_id}
        self._safe -= {incident_id}
        self._cried.add(incident_id)
        self._tired.discard(incident_id)

    def turn(self, view: IncidentView) -> Turn:
        idle = self._telephony.idle_seats()
        live = sum(1 for leg in view.of(Role.FAMILY) if leg.live)
        started = view.family == Family.STARTED
        if view.id in self._safe and not any(leg.live and leg.accepted_at for leg in view.legs):
            return Turn({}, max(0, FAMILY_AT_ONCE - live) if started else 0, duty=False, asked_only=True)
        if not self._active:
            return Turn(idle, len(view.legs), duty=True)
        self._forget_old_promises()
        if view.id in self._callers and not any(one == view.id for one, _ in self._seats.values()):
            free = [seat for seat in sorted(idle) if seat not in self._seats][: self._policy.seats_each]
            self._promise(dict.fromkeys(free, view.id))
        mine = {seat: name for seat, name in idle.items() if self._seats.get(seat, ("", 0))[0] == view.id}
        family = self._family.pop(view.id, 0)
        if family == 0 and (started or view.id in self._callers):
            family = max(0, min(FAMILY_AT_ONCE - live, self._spare))
            self._spare -= family
        duty = self._duty_for in (None, view.id) and not mine
        return Turn(mine, family, duty=duty, hospital=not self._seats_work)

    def dialling(self, relatives: int) -> AbstractContextManager[None]:
        """These lines are taken from before they are on record."""
        return self._trunk.dialling(relatives)

    def lines_for(self, view: IncidentView, relatives: int) -> int:
        """How many of these relatives may be dialled now. In a storm `turn` has said it; before one has begun a share
        of the lines stays free too: sixty alarms in a minute would take every line within seconds. Who is on the line
        himself has his two relatives as long as there is a line at all."""
        if self._active:
            return relatives
        most = max(1, storm.paced(self._policy)) - self._trunk.now
        if any(leg.live and leg.ring_until is None for leg in view.of(Role.ELDER)):
            living = sum(1 for leg in view.of(Role.FAMILY) if leg.live)
            most = max(most, min(FAMILY_AT_ONCE - living, self._policy.ports - self._trunk.now))
        if most < relatives:
            self._short_of_lines.add(view.id)
        return max(0, min(most, relatives))

    def family_done(self, incident_id: str) -> None:
        """Nobody of the family is left to dial, or one has come."""
        if self._active:
            self._tired.add(incident_id)

    # ---- one look

    async def look(self) -> None:
        now = self._now()
        self._cried.clear()
        self._trunk.looking()
        seen = await self._records.look(now)
        lines = Lines(seen, {one.id: one for one in seen.open})
        self._trunk.looked(lines.all + seen.ordinary_calls)
        self._safe = frozenset(one.id for one in seen.open if one.triage is Triage.SAFE) - self._cried
        waiting = waiting_in(seen)
        pressure = storm.Pressure(len(waiting), seen.seats_ready, seen.alarms_last_min, self._trunk.now)
        active = storm.is_storm(seen.active, seen.forced, pressure, self._policy)
        if active != seen.active:
            log.warning("storm mode %s: %d wait, %d alarms in a minute", "begins" if active else "ends",
                        pressure.waiting, pressure.alarms_last_min)  # fmt: skip
            await self._records.set_active(active, waiting=pressure.waiting, alarms_last_min=pressure.alarms_last_min)
        if not active:
            await self._settle(seen, now)
            self._leave(seen)
            return
        self._active = True
        await self._settle(seen, now)
        unasked = [one.id for one in waiting if one.triage is None and not one.held_back]
        await self._records.await_asking(unasked)
        await self._share_out(seen, lines, waiting, set(unasked), now)

    def _leave(self, seen: StormLook) -> None:
        """No storm: everybody is attended as ever, except those who said that they are safe; for these is done what
        people ask."""
        was, before = self._active, self._shut
        self._active = False
        self._shut = self._safe - self._asked_for(seen)
        if was:
            self._in_play, self._family, self._seats, self._tired = set(), Counter(), {}, set()
            self._callers, self._just_called = set(), {}
            again = [one.id for one in seen.open if one.id not in self._shut]
        else:
            again = [one.id for one in seen.open if one.id in before - self._shut]
        if self._trunk.now < max(1, storm.paced(self._policy)):
            again += self._short_of_lines
            self._short_of_lines.clear()
        for one in again:
            self.wake_runner(one)

    def _asked_for(self, seen: StormLook) -> set[str]:
        """One look longer than it lasts, so that its end too is told by the incident's own round."""
        before = self._asked
        self._asked = {
            one.id for one in seen.open if one.asked_for or (one.family_started and one.id not in self._tired)
        }
        return self._asked | before

    async def _settle(self, seen: StormLook, now: datetime) -> None:
        """All in one commit: one after another, a dozen calls that had ended held up the next dozen by a second."""
        over: list[Coroutine[Any, Any, None]] = []
        for one in seen.open:
            if one.triage is not Triage.CALLING or one.attempt is None:
                continue
            lost = one.attempt_outcome in (Outcome.LOST, Outcome.CANCELLED)
            answered_for = (now - one.attempt_answered_at).total_seconds() if one.attempt_answered_at else 0.0
            end = storm.CallEnd(
                ended=one.attempt_ended_at is not None,
                answered=one.attempt_answered_at is not None,
                counts=not lost,
                tries=one.tries,
                answered_for_s=answered_for,
            )
            said = storm.settle(end, self._policy)
            if said is not None:
                over.append(self._records.settle(one.id, one.attempt, said))
        if over:
            await asyncio.gather(*over)
            self._news.set()

    async def _share_out(
        self, seen: StormLook, lines: Lines, waiting: list[OpenIncident], unasked: set[str], now: datetime
    ) -> None:
        by_id = {one.id: one for one in seen.open}
        before = self._in_play
        fresh = time.monotonic() - PROMISE_S  # a call that came while we looked is not forgotten
        self._just_called = {one: at for one, at in self._just_called.items() if at > fresh}
        self._callers = lines.callers | set(self._just_called)
        self._with_lines = frozenset(lines.touched)
        ranked = ranked_in(seen, lines)
        self._offer_seats(ranked, lines)
        candidates = [
            storm.Candidate(one.id, one.worst, one.opened_at, one.tries, one.attempt_ended_at)
            for one in waiting
            if (one.triage is Triage.PENDING or one.id in unasked)
            and one.id not in lines.touched
            and not any(one.id == incident for incident, _ in self._seats.values())
        ]
        due = storm.next_calls(candidates, self._policy.ports, now, self._policy)
        wanting = [one for one in ranked if self._wants_family(by_id[one], lines)]
        trunk = storm.Lines(
            asking=lines.asking,
            family=lines.family_paced + self._trunk.not_on_record,
            others=lines.others + seen.ordinary_calls,
        )
        share = storm.share_out(trunk, len(due), FAMILY_AT_ONCE * len(wanting), self._policy)
        self._family = self._family_of(wanting, share.family, lines)
        self._spare = max(0, self._policy.ports - trunk.asking - trunk.family - trunk.others - share.ask - share.family)
        self._in_play = {incident for incident, _ in self._seats.values()} | set(self._family) | lines.attended
        self._in_play |= self._asked_for(seen)
        if self._duty_for:
            self._in_play.add(self._duty_for)
        self._in_play &= set(by_id)
        for one in self._in_play - before | set(self._family):
            self.wake_runner(one)
        await asyncio.gather(*(self._ask(one) for one in due[: share.ask]))

    def _wants_family(self, one: OpenIncident, lines: Lines) -> bool:
        return one.triage in storm.NEED and one.id not in self._tired and lines.family_of[one.id] < FAMILY_AT_ONCE

    def _family_of(self, wanting: list[str], most: int, lines: Lines) -> Counter[str]:
        given: Counter[str] = Counter()
        for incident in wanting:
            if most <= 0:
                break
            given[incident] = min(FAMILY_AT_ONCE - lines.family_of[incident], most)
            most -= given[incident]
        return given

    def _offer_seats(self, ranked: list[str], lines: Lines) -> None:
        self._forget_old_promises()
        idle = self._telephony.idle_seats()
        self._seats_work = bool(idle or lines.seats or self._telephony.busy_seats())
        promised = {**{seat: incident for seat, (incident, _) in self._seats.items()}, **lines.seats}
        offered = storm.assign_seats(ranked, list(idle), promised, self._policy.seats_each)
        self._promise(offered)
        has_seat = {*promised.values(), *offered.values()}
        self._duty_for = lines.duty_for or next((one for one in ranked if one not in has_seat), None)

    def _promise(self, seats: dict[str, str]) -> None:
        until = time.monotonic() + PROMISE_S
        self._seats |= {seat: (incident, until) for seat, incident in seats.items()}

    def _forget_old_promises(self) -> None:
        now = time.monotonic()
        self._seats = {seat: kept for seat, kept in self._seats.items() if kept[1] > now}

    # ---- asking

    async def _ask(self, incident_id: str) -> None:
        """One call by machine; on record before it is made, like every other."""
        try:
            view = await self._legs.view(incident_id, self._now())
            if view is None or view.closed or any(leg.live for leg in view.of(Role.ELDER, *STAFF)):
                return
            phone = view.elder_phone
            if phone is None or not is_dialable(phone):
                await self._records.cannot_be_asked(incident_id)
                return
            attempt = await self._legs.begin_attempt(incident_id, Role.ELDER, phone, name="老人")
            if attempt is None:
                return
            await self._records.asked(incident_id, attempt)
            try:
                await self._telephony.dial(attempt, Role.ELDER, phone, incident_id, self._ring_s)
            except DialRefused:
                await self._legs.ended(attempt, Outcome.FAILED if self._telephony.is_up else Outcome.LOST)
            except DialDoubtful:
                log.warning("incident %s: a triage call is in doubt, reconciliation will tell", incident_id)
        except Exception as exc:  # one that fails must not stop the others between their record and their dial
            log.error("incident %s: could not be asked: %s", incident_id, type(exc).__name__)
