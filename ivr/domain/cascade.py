"""Who of the family is dialled next. A pure decision, so that it can be tested to the corners.

Order: those with fewer attempts first (a round is finished before the next begins), those who said they can be
reached at this hour before the others, then the family's own priority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ivr.domain.incident import LegState, LegView

# A dial whose fate we lost (a crash in between) is made again, but not for ever.
MAX_LOST = 5


class Family(StrEnum):
    """What a person has said about the relatives of one incident; nothing said is None."""

    STARTED = "started"
    CANCELLED = "cancelled"  # 误按: pressed by mistake, by the agent's or the elder's clear word


class Order(StrEnum):
    DIAL = "dial"
    HOLD = "hold"  # nobody new is dialled, nobody is stopped
    STOP = "stop"  # phones that ring are stopped too


@dataclass(frozen=True, slots=True)
class CascadePolicy:
    parallel: int = 2  # 1: strictly in order
    rounds: int = 2
    by_agent: bool = False  # relatives are dialled on an agent's word, not by the alarm itself
    agent_patience_s: float = 20.0  # … unless no agent has come until then: an incident is never left alone


def order(said: Family | None, policy: CascadePolicy, *, attended: bool, waited_s: float) -> Order:
    """Whether relatives may be dialled. `attended`: a person of the centre has been in the room; `waited_s`: since the
    search for one began."""
    if said is Family.CANCELLED:
        return Order.STOP
    if said is Family.STARTED or not policy.by_agent:
        return Order.DIAL
    return Order.DIAL if not attended and waited_s >= policy.agent_patience_s else Order.HOLD


@dataclass(frozen=True, slots=True)
class CascadeStep:
    dial: tuple[str, ...] = ()  # leg ids
    cancel: tuple[str, ...] = ()
    exhausted: bool = False  # everybody was tried in every round, nobody is being dialled


def next_step(legs: Sequence[LegView], policy: CascadePolicy, may: Order = Order.DIAL) -> CascadeStep:
    """Decide from the legs of role family alone."""
    live = [leg for leg in legs if leg.live]
    if may is Order.STOP or any(leg.ever_accepted for leg in legs):
        # Who has answered may still accept (or is told of the mistake): only phones that merely ring are stopped.
        ringing = (LegState.DIALLED, LegState.RINGING)
        return CascadeStep(cancel=tuple(leg.id for leg in live if leg.state in ringing))
    if may is Order.HOLD:
        return CascadeStep()
    candidates = sorted(
        (leg for leg in legs if not leg.live and leg.attempts < policy.rounds and leg.lost < MAX_LOST),
        key=lambda leg: (leg.attempts, not leg.available, leg.priority, leg.id),
    )
    if live and candidates and candidates[0].attempts >= min(leg.attempts for leg in live):
        # Somebody of this round still rings (the call that rings is counted in his attempts): the next round waits.
        candidates = []
    free = max(0, policy.parallel - len(live))
    dial = tuple(leg.id for leg in candidates[:free])
    return CascadeStep(dial=dial, exhausted=not dial and not live)


def is_available(now_hhmm: str, start: str | None, end: str | None) -> bool:
    """Whether a contact said he can be reached now; windows may run over midnight (`22:00` to `06:00`)."""
    if not start or not end or start == end:
        return True
    if start < end:
        return start <= now_hhmm < end
    return now_hhmm >= start or now_hhmm < end
