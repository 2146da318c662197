"""A worker is offered the way to an elder by phone: one after the other, never two for one offer. Pure.

The next one is rung when somebody says no, does not come to the phone, or has not decided after a minute. Everybody
once before anybody twice. Who has said no is not asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ivr.domain.cascade import MAX_LOST
from ivr.domain.incident import LegState, LegView, Outcome, Role
from ivr.domain.wishes import rest

_RINGING = (LegState.DIALLED, LegState.RINGING)


@dataclass(frozen=True, slots=True)
class OfferPolicy:
    next_after_s: float = 60.0
    rounds: int = 3
    most: int = 8  # of the ranking: whoever lives across the town is no help
    pause_s: float = 8.0  # before the same phone is rung again


@dataclass(frozen=True, slots=True)
class Offer:
    """On record since somebody asked to send a worker."""

    id: str
    since: datetime
    skill: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the ranking, best first."""

    worker_no: str
    name: str
    phone: str


@dataclass(frozen=True, slots=True)
class OfferStep:
    ask: Candidate | None = None
    cancel: tuple[str, ...] = ()  # leg ids
    accepted: bool = False
    exhausted: bool = False
    needs_ranking: bool = False  # call again with it: reading a thousand workers is not worth it while one is asked
    look_again_s: float | None = None


def next_step(
    offer: Offer, legs: Sequence[LegView], ranking: Sequence[Candidate] | None, policy: OfferPolicy, now: datetime
) -> OfferStep:
    """Decide from the legs of role worker and the ranking of those who may be asked (None: not read yet)."""
    workers = [leg for leg in legs if leg.role is Role.WORKER]
    ours = [leg for leg in workers if leg.wish is not None and leg.wish.offer_id == offer.id]
    if any(came(leg, offer) for leg in workers):
        # Somebody goes: phones that merely ring are stopped. Who has answered hears that a colleague was first.
        return OfferStep(cancel=tuple(leg.id for leg in ours if leg.live and leg.state in _RINGING), accepted=True)
    live = [leg for leg in ours if leg.live]
    patience = {leg.id: policy.next_after_s - _since(leg.dialled_at, now) for leg in live}
    waiting = [left for left in patience.values() if left > 0]
    if waiting:
        return OfferStep(look_again_s=min(waiting))
    if ranking is None:
        return OfferStep(needs_ranking=True)
    late = tuple(leg.id for leg in live if leg.state in _RINGING)
    by_phone = {leg.phone: leg for leg in workers}
    seen: set[str] = set()
    askable: list[tuple[int, int, float, Candidate]] = []
    for place, one in enumerate(ranking[: policy.most]):
        leg = by_phone.get(one.phone)
        if one.phone in seen or (leg is not None and not _may_ask(leg, offer, policy)):
            continue
        seen.add(one.phone)
        asked, pause_s = (0, 0.0) if leg is None else (_asked(leg, offer), rest(leg, policy.pause_s, now))
        askable.append((asked, place, pause_s, one))
    if not askable:
        return OfferStep(cancel=late, exhausted=not live)
    asked, _, pause_s, one = min(askable, key=lambda found: found[:2])
    if pause_s > 0:
        return OfferStep(cancel=late, look_again_s=pause_s)
    return OfferStep(ask=one, cancel=late, look_again_s=policy.next_after_s)


def came(leg: LegView, offer: Offer) -> bool:
    """This worker has accepted since the offer began, whoever asked him."""
    at = leg.wish.last_accepted if leg.wish is not None else None
    return leg.role is Role.WORKER and at is not None and at >= offer.since


def _asked(leg: LegView, offer: Offer) -> int:
    return leg.wish.attempts if leg.wish is not None and leg.wish.offer_id == offer.id else 0


def _may_ask(leg: LegView, offer: Offer, policy: OfferPolicy) -> bool:
    if leg.live:
        return False
    if leg.wish is None or leg.wish.offer_id != offer.id:
        # A person asked him before this offer began, or for himself: his no of today stands.
        return leg.outcome is not Outcome.DECLINED
    return (
        not (leg.wish.attempts > 0 and leg.outcome is Outcome.DECLINED)
        and leg.wish.attempts < policy.rounds
        and leg.wish.lost < MAX_LOST
    )


def _since(then: datetime | None, now: datetime) -> float:
    return (now - then).total_seconds() if then is not None else 0.0
