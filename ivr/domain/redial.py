"""When the elder is called again. A pure decision.

A line that was cut, or a press that was hung up, before anybody spoke with him: the incident stays open and his phone
rings again within 5 s, three times in a minute, then once a minute; after three tries everybody of the family is
dialled at once; after two minutes without contact 120 is proposed to the agent. Once a person is there and the elder is
not, he is called for that person. Whoever has spoken with a person and hung up is left to that person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ivr.domain.incident import IncidentView, Role


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


@dataclass(frozen=True, slots=True)
class RedialStep:
    dial: bool = False
    ring_s: float = 0.0
    everybody: bool = False  # the family's order does not matter any more
    propose_ambulance: bool = False
    look_again_s: float | None = None


def next_step(view: IncidentView, policy: RedialPolicy, now: datetime) -> RedialStep:
    elders = view.of(Role.ELDER)
    if not view.elder_phone or view.elder_met or any(leg.live for leg in elders):
        return RedialStep()
    someone = any(leg.live and leg.accepted_at for leg in view.of(Role.AGENT, Role.SUPERVISOR))
    lost_since = view.elder_lost_since
    if lost_since is None and not someone:
        return RedialStep()  # an alarm without a voice: he is called once there is somebody to speak with
    gone = (now - lost_since).total_seconds() if lost_since else 0.0
    last_try = max((leg.ended_at for leg in elders if leg.ended_at), default=None)
    rested = (now - last_try).total_seconds() if last_try else float("inf")
    tries = view.elder_redials
    if tries >= policy.tries:
        wait = policy.later_every_s - rested
    elif tries > 0:
        wait = policy.pause_s - rested
    elif someone:
        wait = 0.0
    else:
        wait = policy.first_after_s - rested
    everybody_in = 0.0 if tries >= policy.tries else policy.everybody_after_s - gone
    propose_in = policy.propose_after_s - gone
    lost = lost_since is not None
    due = [wait] + ([everybody_in, propose_in] if lost else [])
    return RedialStep(
        dial=wait <= 0,
        ring_s=policy.waiting_ring_s if someone else policy.ring_s,
        everybody=lost and everybody_in <= 0,
        propose_ambulance=lost and propose_in <= 0,
        look_again_s=min((seconds for seconds in due if seconds > 0), default=None),
    )
