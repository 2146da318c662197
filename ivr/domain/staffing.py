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
    look_again_s: float | None = None


def _since(now: datetime, then: datetime | None) -> float:
    return (now - then).total_seconds() if then is not None else float("inf")


def _resting(leg: LegView | None, now: datetime, pause_s: float) -> bool:
    """A phone that fails again and again is left alone for longer each time, up to a minute."""
    return leg is not None and _since(now, leg.ended_at) < min(60.0, pause_s * max(1, leg.attempts))


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
        return StaffingStep(look_again_s=policy.regroup_s - last_left)

    by_extension = {leg.phone: leg for leg in view.of(Role.AGENT)}
    ring = tuple(
        ext
        for ext in sorted(ready)
        if not ((leg := by_extension.get(ext)) and (leg.live or _resting(leg, now, policy.pause_between_rings_s)))
    )
    ringing = [leg for leg in view.of(Role.AGENT) if leg.live]
    unattended_s = min(_since(now, view.opened_at), last_left)
    patience = policy.duty_after_s if ring or ringing else policy.no_seat_duty_after_s
    duty = next((leg for leg in view.of(Role.SUPERVISOR) if leg.phone == duty_phone), None)
    duty_idle = not (duty and (duty.live or _resting(duty, now, policy.pause_between_rings_s)))
    return StaffingStep(
        ring_agents=ring,
        ring_duty=bool(duty_phone) and duty_idle and unattended_s >= patience,
        look_again_s=1.0,
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
