"""When the elder is called again. A pure decision.

A line that was cut, or a press that was hung up, before anybody spoke with him: the incident stays open and his phone
rings again within 5 s, three times in a minute, then once a minute; after three tries everybody of the family is
dialled at once; after two minutes without contact 120 is proposed to the agent, also while his phone rings, and also
when his line was never cut and simply nobody comes. Once a person is there and the elder is
not, he is called for that person. Whoever has spoken with a person and hung up is left to that person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ivr.domain.incident import IncidentView, Role

_NEVER = float("inf")
_PEOPLE = (Role.AGENT, Role.SUPERVISOR, Role.FAMILY, Role.WORKER, Role.HOSPITAL)


@dataclass(frozen=True, slots=True)
class RedialPolicy:
    first_after_s: float = 2.0
    pause_s: float = 3.0  # between the end of one try and the next
    tries: int = 3
    later_every_s: float = 60.0
    ring_s: float = 15.0  # three tries and their pauses fit into a minute
    waiting_ring_s: float = 40.0  # a person waits for him: longer
    everybody_after_s: float = 90.0
    propose_after_s: float = 120.0
    alone_too: bool = True
    """Who is on the line and nobody comes, and an alarm without a voice that nobody sees to, are as bad as a cut line.
    Not in a storm: there the order of all decides."""


@dataclass(frozen=True, slots=True)
class RedialStep:
    dial: bool = False
    ring_s: float = 0.0
    everybody: bool = False  # the family's order does not matter any more
    propose_ambulance: bool = False
    look_again_s: float | None = None


def next_step(view: IncidentView, policy: RedialPolicy, now: datetime) -> RedialStep:
    if view.elder_met:
        return RedialStep()
    dial, ring_s, dial_in = _call_again(view, policy, now)
    everybody_in, propose_in = _nobody_with_him(view, policy, now)
    due = (dial_in, everybody_in, propose_in)
    return RedialStep(
        dial=dial,
        ring_s=ring_s,
        everybody=everybody_in <= 0,
        propose_ambulance=propose_in <= 0,
        look_again_s=min((seconds for seconds in due if 0 < seconds < _NEVER), default=None),
    )


def _call_again(view: IncidentView, policy: RedialPolicy, now: datetime) -> tuple[bool, float, float]:
    """Whether his phone rings now, for how long, and else in how many seconds."""
    elders = view.of(Role.ELDER)
    if not view.elder_phone or any(leg.live for leg in elders):
        return False, 0.0, _NEVER
    someone = any(leg.live and leg.accepted_at for leg in view.of(Role.AGENT, Role.SUPERVISOR))
    if view.elder_lost_since is None and not someone:
        return False, 0.0, _NEVER  # an alarm without a voice: he is called once there is somebody to speak with
    last_try = max((leg.ended_at for leg in elders if leg.ended_at), default=None)
    rested = (now - last_try).total_seconds() if last_try else _NEVER
    tries = view.elder_redials
    if tries >= policy.tries:
        wait = policy.later_every_s - rested
    elif tries > 0:
        wait = policy.pause_s - rested
    elif someone:
        wait = 0.0
    else:
        wait = policy.first_after_s - rested
    return wait <= 0, policy.waiting_ring_s if someone else policy.ring_s, wait


def _nobody_with_him(view: IncidentView, policy: RedialPolicy, now: datetime) -> tuple[float, float]:
    """Seconds until everybody is called, and until 120 is proposed. His phone may ring meanwhile, or he may be on the
    line: neither is somebody with him. Counted from the cut; of a line that was not cut, and of an alarm without a
    voice, from when people were first looked for, as long as nobody at all has come."""
    if view.elder_lost_since is not None:
        since = view.elder_lost_since
        tried = view.elder_redials >= policy.tries and not any(leg.live for leg in view.of(Role.ELDER))
    elif policy.alone_too and not any(leg.ever_accepted for leg in view.of(*_PEOPLE)):
        since, tried = view.opened_at, False
    else:
        return _NEVER, _NEVER
    alone_s = (now - since).total_seconds()
    return 0.0 if tried else policy.everybody_after_s - alone_s, policy.propose_after_s - alone_s
