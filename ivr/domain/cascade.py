"""Who of the family is dialled next. A pure decision, so that it can be tested to the corners.

Order: those with fewer attempts first (a round is finished before the next begins), those who said they can be
reached at this hour before the others, then the family's own priority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ivr.domain.incident import LegState, LegView, Outcome

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
    failed_rest_s: float = 5.0
    """Before a phone is dialled again that the network refused: an Asterisk that was stopping, or a trunk that was away
    for a second, refused every round of a whole family within that second (make chaos)."""
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
    inform: tuple[str, ...] = ()  # listen to the alarm while another has come: they are told so
    exhausted: bool = False  # everybody was tried in every round, nobody is being dialled
    look_again_s: float | None = None


def next_step(
    legs: Sequence[LegView], policy: CascadePolicy, may: Order = Order.DIAL, now: datetime | None = None
) -> CascadeStep:
    """Decide from the legs of role family alone. Without `now` nobody rests."""
    live = [leg for leg in legs if leg.live]
    if may is Order.STOP or any(leg.ever_accepted for leg in legs):
        # Who has answered may still accept (or is told of the mistake): only phones that merely ring are stopped.
        ringing = (LegState.DIALLED, LegState.RINGING)
        listening = [] if may is Order.STOP else [leg.id for leg in live if leg.state is LegState.ANSWERED]
        return CascadeStep(cancel=tuple(leg.id for leg in live if leg.state in ringing), inform=tuple(listening))
    if may is Order.HOLD:
        return CascadeStep()
    candidates = sorted(
        (leg for leg in legs if not leg.live and leg.attempts < policy.rounds and leg.lost < MAX_LOST),
        key=lambda leg: (leg.attempts, not leg.available, leg.priority, leg.id),
    )
    if live and candidates and candidates[0].attempts >= min(leg.attempts for leg in live):
        # Somebody of this round still rings (the call that rings is counted in his attempts): the next round waits.
        candidates = []
    rests = {leg.id: rest_s for leg in candidates if (rest_s := _rest_s(leg, policy, now)) > 0}
    if rests:
        # Others of his round go first; nobody's next round does.
        this_round = min(leg.attempts for leg in candidates if leg.id in rests)
        candidates = [leg for leg in candidates if leg.id not in rests and leg.attempts <= this_round]
    free = max(0, policy.parallel - len(live))
    dial = tuple(leg.id for leg in candidates[:free])
    return CascadeStep(
        dial=dial, exhausted=not dial and not live and not rests, look_again_s=min(rests.values(), default=None)
    )


def _rest_s(leg: LegView, policy: CascadePolicy, now: datetime | None) -> float:
    if now is None or leg.outcome is not Outcome.FAILED or leg.ended_at is None:
        return 0.0
    return policy.failed_rest_s - (now - leg.ended_at).total_seconds()


def is_available(now_hhmm: str, start: str | None, end: str | None) -> bool:
    """Whether a contact said he can be reached now; windows may run over midnight (`22:00` to `06:00`)."""
    if not start or not end or start == end:
        return True
    if start < end:
        return start <= now_hhmm < end
    return now_hhmm >= start or now_hhmm < end
