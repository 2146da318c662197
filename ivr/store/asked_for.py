"""Open incidents for which people have asked for something that is still to be done: a storm does not suspend it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ivr.domain.incident import LegState, LegView, Outcome, Role
from ivr.domain.wishes import WishPolicy, is_wanted
from ivr.store.tables import incident, leg_attempt, offer
from ivr.store.wishes import wish_of

SENT = (Role.WORKER, Role.HOSPITAL)
_OFFERS = (
    select(offer.c.incident_id, offer.c.ended_at)
    .join(incident, incident.c.id == offer.c.incident_id)
    .where(incident.c.state == "open")
)
_ATTEMPTS = select(
    leg_attempt.c.leg_id,
    leg_attempt.c.dialled_at,
    leg_attempt.c.accepted_at,
    leg_attempt.c.ended_at,
    leg_attempt.c.outcome,
).where(leg_attempt.c.leg_id.in_(bindparam("legs", expanding=True)))


def asked_for(conn: Connection, wanted: Sequence[Any], arrived: Collection[str], wish_tries: int) -> frozenset[str]:
    """Those with an open offer or wish, and those to whom somebody was sent who has not arrived.

    `wanted`: the legs of open incidents that somebody wanted; `arrived`: open incidents with somebody at the door.
    """
    found: set[str] = set()
    for row in conn.execute(_OFFERS):
        if row.ended_at is None or row.incident_id not in arrived:
            found.add(row.incident_id)
    found |= {one.incident_id for one in wanted if one.role in SENT and one.incident_id not in arrived}
    doubtful = [one for one in wanted if one.offer_id is None and one.incident_id not in found]
    attempts: dict[str, list[Any]] = defaultdict(list)
    ids = [one.id for one in doubtful]
    for start in range(0, len(ids), 400):
        for made in conn.execute(_ATTEMPTS, {"legs": ids[start : start + 400]}):
            attempts[made.leg_id].append(made)
    found |= {one.incident_id for one in doubtful if _is_open(one, attempts[one.id], wish_tries)}
    return frozenset(found)


def _is_open(row: Any, attempts: Sequence[Any], wish_tries: int) -> bool:
    view = LegView(
        id=row.id,
        role=Role(row.role),
        phone=row.phone,
        priority=0,
        state=LegState(row.state),
        attempts=row.attempts,
        live=any(one.ended_at is None for one in attempts),
        outcome=Outcome(row.outcome) if row.outcome else None,
        wish=wish_of(row, attempts),
    )
    return is_wanted(view, WishPolicy(tries=wish_tries))


__all__ = ["asked_for"]
