"""Who of the centre is rung for an incident. A pure decision like the family's cascade.

All ready agents at once. None free within 3 s: the agent on the least urgent ordinary call is taken (break-in). No
seat at all, or none came in time: the duty phone, the supervisors, those on call, and at last, where the elder's file
allows it, the hospital of the district or 120. Each rung joins the search; nobody who rings is stopped for the next.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from ivr.domain.incident import IncidentView, LegState, LegView, Role
from ivr.domain.recall import is_awaited
from ivr.domain.wishes import Fate, WishPolicy, fate

_RINGING = (LegState.DIALLED, LegState.RINGING)


@dataclass(frozen=True, slots=True)
class StaffingPolicy:
    pause_between_rings_s: float = 3.0
    duty_after_s: float = 20.0  # agents ring this long before the duty phone joins the search
    no_seat_duty_after_s: float = 1.0  # nobody can be rung at all
    regroup_s: float = 5.0  # an agent has just left the room: the others may be hanging up too
    break_in_s: float | None = 3.0  # no agent is free after this: one is taken from an ordinary call; None: never
    unanswered_break_in_s: float = 10.0  # agents ring and none comes: the same
    taken_within_s: float = 8.0  # a seat that was taken is in the room by then, or it never left its call
    supervisor_after_s: float = 5.0  # these three count from when there is no seat at all
    on_call_after_s: float = 10.0
    hospital_after_s: float = 15.0
    hospital_tries: int = WishPolicy().tries
    supervisors: tuple[str, ...] = ()
    on_call: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BusySeat:
    """A seat on an ordinary call. `urgency` of that call: 0 is the least."""

    since: datetime
    urgency: int = 0


@dataclass(frozen=True, slots=True)
class StaffingStep:
    ring_agents: tuple[str, ...] = ()  # extensions
    break_in: str | None = None  # extension
    ring_duty: bool = False
    ring_supervisors: tuple[str, ...] = ()  # phones
    ring_on_call: tuple[str, ...] = ()
    ring_hospital: bool = False
    cancel: tuple[str, ...] = ()  # leg ids
    searching: bool = False  # nobody is there yet: a seat that becomes free matters
    look_again_s: float | None = None  # when time alone will change this decision


def _since(now: datetime, then: datetime | None) -> float:
    return (now - then).total_seconds() if then is not None else float("inf")


def _rest_s(leg: LegView | None, now: datetime, pause_s: float) -> float:
    """Seconds until this phone may ring again: one that fails again and again rests longer, up to a minute."""
    if leg is None or leg.ended_at is None:
        return 0.0
    return max(0.0, min(60.0, pause_s * max(1, leg.attempts)) - _since(now, leg.ended_at))


def next_step(
    view: IncidentView,
    ready: Collection[str],
    duty_phone: str,
    policy: StaffingPolicy,
    now: datetime,
    busy: Mapping[str, BusySeat] | None = None,
) -> StaffingStep:
    """Decide about agents and the phones behind them.

    `ready`: extensions whose telephone is idle. `busy`: those that may be taken from an ordinary call.
    """
    staff = view.of(Role.AGENT, Role.SUPERVISOR)
    present = [leg for leg in staff if leg.live and leg.accepted_at is not None]
    if present:
        cancel = tuple(leg.id for leg in staff if leg.live and leg.state in _RINGING)
        return StaffingStep(cancel=cancel)
    elders = view.of(Role.ELDER)
    waiting = [leg for leg in view.of(Role.ELDER, Role.FAMILY) if leg.live and leg.accepted_at is not None]
    served = [leg for leg in staff if leg.ever_accepted]
    # A machine that asks how it is, while help is on its way, is no search for a person: his answer may be one.
    asked = is_awaited(view) and not (view.elder_lost_since and not view.elder_met)
    if served and not waiting and (asked or not any(leg.live for leg in elders)):
        # A person has dealt with it and everybody has gone: it stays open on the screen until closed with a reason.
        return StaffingStep(cancel=tuple(leg.id for leg in staff if leg.live))
    last_left = min((_since(now, leg.ended_at) for leg in served), default=float("inf"))
    if last_left < policy.regroup_s:
        return StaffingStep(searching=True, look_again_s=policy.regroup_s - last_left)

    searched = min(_since(now, view.opened_at), last_left)
    by_extension = {leg.phone: leg for leg in view.of(Role.AGENT)}
    free = [ext for ext in sorted(ready) if not ((leg := by_extension.get(ext)) and leg.live)]
    rests = {ext: _rest_s(by_extension.get(ext), now, policy.pause_between_rings_s) for ext in free}
    ring = tuple(ext for ext in free if rests[ext] <= 0)
    ringing = bool(ring) or any(leg.live for leg in by_extension.values())
    taken, take_in = _break_in(by_extension, ringing, searched, policy, busy or {}, now)
    is_seat = ringing or (bool(busy) and policy.break_in_s is not None)  # a seat that nobody may take is none
    base = policy.duty_after_s if ringing else policy.no_seat_duty_after_s
    ladder = policy.duty_after_s if is_seat else 0.0
    phones = {leg.phone: leg for leg in view.of(Role.SUPERVISOR)}

    def wait_for(phone: str, due_s: float) -> float:
        """Seconds until this phone is rung; endless while it rings."""
        leg = phones.get(phone)
        if leg is not None and leg.live:
            return float("inf")
        return max(due_s - searched, _rest_s(leg, now, policy.pause_between_rings_s))

    duty_wait = wait_for(duty_phone, base) if duty_phone else float("inf")
    supervisors = {p: wait_for(p, ladder + policy.supervisor_after_s) for p in policy.supervisors}
    on_call = {p: wait_for(p, ladder + policy.on_call_after_s) for p in policy.on_call}
    hospital_wait = ladder + policy.hospital_after_s - searched
    may_hospital = view.hospital_allowed and not any(_is_hospital(leg, policy) for leg in view.of(Role.HOSPITAL))
    waits = [*rests.values(), duty_wait, *supervisors.values(), *on_call.values(), take_in]
    if may_hospital:
        waits.append(hospital_wait)
    due = [wait for wait in waits if 0 < wait < float("inf")]
    return StaffingStep(
        ring_agents=ring,
        break_in=taken,
        ring_duty=duty_wait <= 0,
        ring_supervisors=tuple(p for p, wait in supervisors.items() if wait <= 0),
        ring_on_call=tuple(p for p, wait in on_call.items() if wait <= 0),
        ring_hospital=may_hospital and hospital_wait <= 0,
        searching=True,
        look_again_s=min(due, default=None),
    )


def _is_hospital(leg: LegView, policy: StaffingPolicy) -> bool:
    """Rings, has come, or is to be dialled again; one that declined or could not be had makes way for the next."""
    if leg.live or leg.ever_accepted:
        return True
    return leg.wish is not None and fate(leg, policy.hospital_tries) is Fate.OPEN


def _break_in(
    by_extension: Mapping[str, LegView],
    ringing: bool,
    searched: float,
    policy: StaffingPolicy,
    busy: Mapping[str, BusySeat],
    now: datetime,
) -> tuple[str | None, float]:
    """The seat to take now, and the seconds until one may be taken."""
    on_the_way = [
        policy.taken_within_s - _since(now, leg.dialled_at)
        for leg in by_extension.values()
        if leg.live and leg.state is LegState.ANSWERED
    ]
    fit = [ext for ext in busy if not ((leg := by_extension.get(ext)) and leg.live)]
    if policy.break_in_s is None or not fit:
        return None, float("inf")
    if max(on_the_way, default=0.0) > 0:
        return None, max(on_the_way)
    wait = (policy.unanswered_break_in_s if ringing else policy.break_in_s) - searched
    if wait > 0:
        return None, wait
    # The longest of the least urgent: most of it has been said.
    return min(fit, key=lambda ext: (busy[ext].urgency, busy[ext].since, ext)), float("inf")
