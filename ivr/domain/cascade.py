"""Who of the family is dialled next. A pure decision, so that it can be tested to the corners.

Order: those with fewer attempts first (a round is finished before the next begins), those who said they can be
reached at this hour before the others, then the family's own priority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ivr.domain.incident import LegState, LegView

# A dial whose fate we lost (a crash in between) is made again, but not for ever.
MAX_LOST = 5


@dataclass(frozen=True, slots=True)
class CascadePolicy:
    parallel: int = 2
    rounds: int = 2


@dataclass(frozen=True, slots=True)
class CascadeStep:
    dial: tuple[str, ...] = ()  # leg ids
    cancel: tuple[str, ...] = ()
    exhausted: bool = False  # everybody was tried in every round, nobody is being dialled


def next_step(legs: Sequence[LegView], policy: CascadePolicy) -> CascadeStep:
    """Decide from the legs of role family alone."""
    live = [leg for leg in legs if leg.live]
    if any(leg.ever_accepted for leg in legs):
        # Who has answered may still accept: only phones that merely ring are stopped.
        ringing = (LegState.DIALLED, LegState.RINGING)
        return CascadeStep(cancel=tuple(leg.id for leg in live if leg.state in ringing))
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
