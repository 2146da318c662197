"""Until somebody is at the door the elder is called again and again. A pure decision.

It begins when somebody is sent (a worker is offered the way, a worker or a hospital is wanted) and ends with the
arrival event or the closing. An elder who is on the line, or whose line was lost, is not its business: see `redial`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ivr.domain.incident import IncidentView, Role


@dataclass(frozen=True, slots=True)
class RecallPolicy:
    every_s: float = 300.0
    again_s: float = 60.0  # he did not answer: sooner
    missed: int = 2  # so often unanswered is a worse answer
    ring_s: float = 30.0


@dataclass(frozen=True, slots=True)
class RecallStep:
    dial: bool = False
    unanswered: bool = False  # as bad as a word of distress: family and hospital hear of it
    look_again_s: float | None = None


def is_awaited(view: IncidentView) -> bool:
    """Somebody was sent and nobody has arrived."""
    return view.awaited_since is not None and not view.arrived


def next_step(view: IncidentView, policy: RecallPolicy, now: datetime) -> RecallStep:
    if view.awaited_since is None or view.arrived or not view.elder_phone:
        return RecallStep()
    if any(leg.live for leg in view.of(Role.ELDER)):
        return RecallStep()
    if view.elder_lost_since is not None and not view.elder_met:
        return RecallStep()
    last = max(view.awaited_since, view.elder_last_called or view.awaited_since)
    wait = (policy.again_s if view.recalls_missed else policy.every_s) - (now - last).total_seconds()
    unanswered = view.recalls_missed >= policy.missed
    if wait > 0:
        return RecallStep(unanswered=unanswered, look_again_s=wait)
    return RecallStep(dial=True, unanswered=unanswered)
