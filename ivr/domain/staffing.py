"""Who of the centre is rung for an incident. A pure decision like the family's cascade.

All ready agents at once; when nobody is in the room yet and none can be rung, or none came in time, the duty phone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from ivr.domain.incident import IncidentView, LegState, LegView, Role

_RINGING = (LegState.DIALLED, LegState.RINGING)


@dataclass(frozen=True, slots=True)
class StaffingPolicy:
    pause_between_rings_s: float = 3.0
    duty_after_s: float = 20.0  # agents ring this long before the duty phone joins the search
    no_seat_duty_after_s: float = 1.0  # nobody can be rung at all
    regroup_s: float = 5.0  # an agent has just left the room: the others may be hanging up too


@dataclass(frozen=True, slots=True)
class StaffingStep:
    ring_agents: tuple[str, ...] = ()  # extensions
    ring_duty: bool = False
    ring_elder: bool = False
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
) -> StaffingStep:
    """Decide about agents, the duty phone, and the elder who has no line into the room yet."""
    staff = view.of(Role.AGENT, Role.SUPERVISOR)
    present = [leg for leg in staff if leg.live and leg.accepted_at is not None]
    if present:
        cancel = tuple(leg.id for leg in staff if leg.live and leg.state in _RINGING)
        return StaffingStep(cancel=cancel, ring_elder=_elder_is_missing(view))
    elders = view.of(Role.ELDER)
    waiting = [leg for leg in view.of(Role.ELDER, Role.FAMILY) if leg.live and leg.accepted_at is not None]
    served = [leg for leg in staff if leg.ever_accepted]
    if served and not waiting and not any(leg.live for leg in elders):
        # A person has dealt with it and everybody has gone: it stays open on the screen until closed with a reason.
        return StaffingStep(cancel=tuple(leg.id for leg in staff if leg.live))
    last_left = min((_since(now, leg.ended_at) for leg in served), default=float("inf"))
    if last_left < policy.regroup_s:
        return StaffingStep(searching=True, look_again_s=policy.regroup_s - last_left)

    pause_s = policy.pause_between_rings_s
    by_extension = {leg.phone: leg for leg in view.of(Role.AGENT)}
    free = [ext for ext in sorted(ready) if not ((leg := by_extension.get(ext)) and leg.live)]
    rests = {ext: _rest_s(by_extension.get(ext), now, pause_s) for ext in free}
    ring = tuple(ext for ext in free if rests[ext] <= 0)
    ringing = any(leg.live for leg in by_extension.values())
    duty = next((leg for leg in view.of(Role.SUPERVISOR) if leg.phone == duty_phone), None)
    patience = policy.duty_after_s if ring or ringing else policy.no_seat_duty_after_s
    duty_wait = max(
        patience - min(_since(now, view.opened_at), last_left),
        _rest_s(duty, now, pause_s),
        float("inf") if not duty_phone or (duty and duty.live) else 0.0,
    )
    due = [wait for wait in (*rests.values(), duty_wait) if 0 < wait < float("inf")]
    return StaffingStep(
        ring_agents=ring,
        ring_duty=duty_wait <= 0,
        searching=True,
        look_again_s=min(due, default=None),
    )


def _elder_is_missing(view: IncidentView) -> bool:
    """A pressed-and-hung-up call or a device without voice: once a person is there, the elder is called."""
    if not view.elder_phone:
        return False
    elders = view.of(Role.ELDER)
    if any(leg.live for leg in elders):
        return False
    staff_since = min(
        (leg.accepted_at for leg in view.of(Role.AGENT, Role.SUPERVISOR) if leg.live and leg.accepted_at),
        default=None,
    )
    if staff_since is None:
        return False
    # Had the elder been on the line with this person, he hung up himself: the person decides, not the machine.
    met = any(leg.ended_at is not None and leg.ended_at >= staff_since for leg in elders)
    return not met
