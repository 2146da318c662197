"""Legs that a person asked for: dialled now, twice again when nobody comes to the phone, then it is said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from ivr.domain.cascade import MAX_LOST
from ivr.domain.incident import LegView, Outcome


@dataclass(frozen=True, slots=True)
class WishPolicy:
    tries: int = 3
    pause_s: float = 8.0  # between two tries: whoever was busy may be free then


class Fate(StrEnum):
    OPEN = "open"  # to be dialled, being dialled, or dialled again in a moment
    ACCEPTED = "accepted"
    FAILED = "failed"  # declined, or tried as often as it is tried


@dataclass(frozen=True, slots=True)
class WishStep:
    dial: tuple[str, ...] = ()  # leg ids
    failed: tuple[str, ...] = ()
    look_again_s: float | None = None


def fate(leg: LegView, tries: int) -> Fate:
    """Of a leg that is wanted. What was before the wish does not count: a person may ask again."""
    wish = leg.wish
    assert wish is not None
    if wish.accepted:
        return Fate.ACCEPTED
    if leg.live:
        return Fate.OPEN
    declined = wish.attempts > 0 and leg.outcome is Outcome.DECLINED
    if declined or wish.attempts >= tries or wish.lost >= MAX_LOST:
        return Fate.FAILED
    return Fate.OPEN


def next_step(legs: Sequence[LegView], policy: WishPolicy, now: datetime) -> WishStep:
    """Decide about the legs that a person wanted; what the offer wanted is the offer's (`offer.py`)."""
    dial, failed, waits = [], [], []
    for leg in legs:
        if leg.wish is None or leg.wish.offer_id is not None:
            continue
        match fate(leg, policy.tries):
            case Fate.FAILED:
                failed.append(leg.id)
            case Fate.OPEN if not leg.live:
                rest_s = rest(leg, policy.pause_s, now)
                if rest_s > 0:
                    waits.append(rest_s)
                else:
                    dial.append(leg.id)
    return WishStep(tuple(dial), tuple(failed), min(waits, default=None))


def rest(leg: LegView, pause_s: float, now: datetime) -> float:
    """Seconds until this phone may ring again. A call of which nothing is known is made again at once."""
    tried = leg.wish is not None and leg.wish.attempts > 0
    if not tried or leg.ended_at is None or leg.outcome is Outcome.LOST:
        return 0.0
    return max(0.0, pause_s - (now - leg.ended_at).total_seconds())


def is_wanted(leg: LegView, policy: WishPolicy) -> bool:
    """A person's wish that is still open: no rule of another policy stops this leg."""
    return leg.wish is not None and leg.wish.offer_id is None and fate(leg, policy.tries) is Fate.OPEN


def is_called_for_a_person(leg: LegView, policy: WishPolicy) -> bool:
    """This call is made because a person asked for it, and not by a rule that dials the same phone."""
    wish = leg.wish
    if wish is None or wish.offer_id is not None or not leg.live:
        return False
    return not wish.accepted and wish.attempts <= policy.tries
