"""Who is wanted for an incident: on record before anybody is dialled, so that a restart carries it on.

A wish is a mark on the leg's own row. The console writes it, the engine's incident runner dials. An `offer` is the
wish for any worker: it asks one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update
from ulid import ULID

from ivr.domain.incident import AlreadyClosed, LegState, Outcome, Role, UnknownElder, UnknownIncident, Wish
from ivr.domain.offer import Candidate, Offer
from ivr.domain.ranking import rank_workers
from ivr.domain.wishes import WishPolicy
from ivr.store import helpers, packages
from ivr.store.db import Store
from ivr.store.tables import elder, event, incident, leg, leg_attempt, offer, package
from ivr.store.tx import Tx

# Asked in every round of an incident: built once.
_OFFER = (
    select(offer.c.id, offer.c.wanted_at, offer.c.skill)
    .where(offer.c.incident_id == bindparam("incident"), offer.c.ended_at.is_(None))
    .order_by(offer.c.id)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Wanted:
    leg_id: str
    repeated: bool  # was wanted already, and that wish still lives


class SqlWishes:
    """Implements the `Wishes` ports of engine and console."""

    def __init__(self, store: Store, *, tries: int = WishPolicy().tries, push_to_ambulance: bool = False) -> None:
        self._store = store
        self._tries = tries
        self._push_to_ambulance = push_to_ambulance

    async def want(
        self,
        incident_id: str,
        role: Role,
        phone: str,
        *,
        name: str,
        by: str,
        worker_no: str | None = None,
        offer_id: str | None = None,
    ) -> Wanted:
        """Put a wish on record; one that still lives (waiting, dialled, or to be dialled again) is not made twice.

        Raises:
            UnknownIncident, AlreadyClosed
        """

        def change(tx: Tx) -> Wanted:
            _need_open(tx, incident_id)
            row = tx.conn.execute(
                select(leg).where(leg.c.incident_id == incident_id, leg.c.role == role, leg.c.phone == phone)
            ).first()
            mark: dict[str, Any] = {"wanted_at": tx.now, "wanted_by": by, "offer_id": offer_id}
            if row is None:
                leg_id = str(ULID())
                tx.conn.execute(
                    insert(leg).values(
                        id=leg_id, incident_id=incident_id, role=role, name=name, phone=phone, priority=0,
                        state=LegState.WAITING, attempts=0, worker_no=worker_no, **mark,
                    )
                )  # fmt: skip
            else:
                leg_id = row.id
                if self._lives(tx.conn, row):
                    if offer_id is None and (row.offer_id is not None or row.wanted_at is None):
                        # A person wants him now, whoever rang him and why: from here on no other rule stops this leg.
                        mark["wanted_at"] = row.wanted_at or tx.now
                        tx.conn.execute(update(leg).where(leg.c.id == leg_id).values(**mark))
                    return Wanted(leg_id, repeated=True)
                tx.conn.execute(update(leg).where(leg.c.id == leg_id).values(worker_no=worker_no, **mark))
            if offer_id is None:
                tx.event("leg.wanted", incident_id=incident_id, leg_id=leg_id, role=role, by=by)
            if role is Role.HOSPITAL:
                packages.queue(tx, incident_id, name, ambulance=self._push_to_ambulance)
            return Wanted(leg_id, repeated=False)

        return await self._store.write(change)

    def _lives(self, conn: Connection, row: Row[Any]) -> bool:
        if row.state not in (LegState.WAITING, LegState.ENDED):
            return True
        if row.wanted_at is None:
            return False
        wish = wish_of(row, attempts_of(conn, row.id))
        if wish is None or wish.accepted or row.outcome == Outcome.DECLINED:
            return False
        return wish.attempts < self._tries

    async def want_helper(self, incident_id: str, *, by: str, skill: str | None = None) -> bool:
        """Begin to offer the way to workers; False when that is under way already.

        Raises:
            UnknownIncident, AlreadyClosed
        """

        def change(tx: Tx) -> bool:
            _need_open(tx, incident_id)
            if current_offer(tx.conn, incident_id) is not None:
                return False
            tx.conn.execute(
                insert(offer).values(
                    id=str(ULID()), incident_id=incident_id, skill=skill, wanted_at=tx.now, wanted_by=by
                )
            )
            tx.event("incident.helper_wanted", incident_id=incident_id, by=by, skill=skill)
            return True

        return await self._store.write(change)

    async def was_offered(self, incident_id: str) -> bool:
        query = select(func.count()).select_from(offer).where(offer.c.incident_id == incident_id)
        return bool(await self._store.look(lambda conn: conn.scalar(query)))

    async def offer_of(self, incident_id: str) -> Offer | None:
        """The offer that is under way."""
        return await self._store.look(lambda conn: current_offer(conn, incident_id))

    async def candidates(self, incident_id: str, skill: str | None) -> Sequence[Candidate]:
        """Workers whom a machine may ring now, best first."""

        def query(conn: Connection) -> list[Candidate]:
            need = helpers.need_of(conn, incident_id, skill)
            if need is None:
                return []
            ranked = rank_workers(need, helpers.workers(conn, incident_id))
            return [Candidate(one.key, one.name, one.phone) for one in ranked if one.may_be_offered]

        return await self._store.look(query)

    async def hospital_for(
        self, incident_id: str, *, contracted: bool, without: frozenset[str] = frozenset()
    ) -> tuple[str, str] | None:
        """(name, phone) of the hospital that a machine rings next. `contracted`: for the elder's district.
        `without`: phones that were tried."""

        def query(conn: Connection) -> tuple[str, str] | None:
            _, hospitals = helpers.ranking(conn, incident_id)
            return next(
                (
                    (one.name, one.phone)
                    for one in hospitals
                    if one.may_be_offered and one.phone not in without and (one.serves or not contracted)
                ),
                None,
            )

        return await self._store.look(query)

    async def tell_ambulance(self, incident_id: str) -> bool:
        """120 has no number here, but takes packages: it is sent one, once. False when it takes none either."""
        if not self._push_to_ambulance:
            return False
        told = select(package.c.id).where(package.c.incident_id == incident_id, package.c.target == packages.AMBULANCE)

        def change(tx: Tx) -> None:
            if tx.conn.execute(told.limit(1)).first() is None:
                packages.queue(tx, incident_id, packages.AMBULANCE, ambulance=True, by="policy")

        if await self._store.look(lambda conn: conn.execute(told.limit(1)).first()) is None:
            await self._store.write(change)
        return True

    async def end_offer(self, offer_id: str, outcome: str) -> None:
        """`accepted`, or `exhausted`: then the screen is told, once."""

        def change(tx: Tx) -> None:
            row = tx.conn.execute(select(offer).where(offer.c.id == offer_id, offer.c.ended_at.is_(None))).first()
            if row is None:
                return
            tx.conn.execute(update(offer).where(offer.c.id == offer_id).values(ended_at=tx.now, outcome=outcome))
            if outcome == "exhausted":
                tx.event("incident.escalated", incident_id=row.incident_id, why="worker_not_reached")

        await self._store.write(change)

    async def failed(self, incident_id: str, leg_id: str) -> None:
        """A wished leg could not be had: journalled once per wish."""

        def change(tx: Tx) -> None:
            row = tx.conn.execute(select(leg.c.role, leg.c.wanted_at).where(leg.c.id == leg_id)).first()
            if row is None or row.wanted_at is None:
                return
            told = tx.conn.execute(
                select(event.c.at).where(
                    event.c.incident_id == incident_id, event.c.kind == "leg.given_up", event.c.leg_id == leg_id
                )
            )
            if not any(one.at >= row.wanted_at for one in told):
                tx.event("leg.given_up", incident_id=incident_id, leg_id=leg_id, role=row.role)

        await self._store.write(change)

    async def bind(self, elder_no: str, worker_no: str | None, *, by: str) -> None:
        """The worker who is bound to this elder; None unbinds.

        Raises:
            UnknownElder
        """

        def change(tx: Tx) -> None:
            done = tx.conn.execute(update(elder).where(elder.c.elder_no == elder_no).values(helper_no=worker_no))
            if not done.rowcount:
                raise UnknownElder(elder_no)
            tx.event("elder.helper_bound", elder_no=elder_no, worker_no=worker_no, by=by)

        await self._store.write(change)

    async def arrived(self, incident_id: str, *, by: str, at: datetime | None, worker_no: str | None = None) -> bool:
        """Somebody is at the door; False when that was on record before. A clock that is ahead is put right: nobody
        arrives in the future.

        Raises:
            UnknownIncident, AlreadyClosed
        """

        def change(tx: Tx) -> bool:
            there = tx.conn.execute(
                select(incident.c.state, incident.c.arrived_at).where(incident.c.id == incident_id)
            ).first()
            if there is None:
                raise UnknownIncident(incident_id)
            if there.arrived_at is not None:
                return False
            if there.state == "closed":
                raise AlreadyClosed(incident_id)
            when = min(at or tx.now, tx.now)
            tx.conn.execute(update(incident).where(incident.c.id == incident_id).values(arrived_at=when, arrived_by=by))
            tx.event(
                "incident.arrived", incident_id=incident_id, by=by, worker_no=worker_no, arrived_at=when.isoformat()
            )
            return True

        return await self._store.write(change)


def wish_of(row: Any, attempts: Sequence[Any]) -> Wish | None:
    """What is known of the wish for this leg, from its attempts."""
    if row.wanted_at is None:
        return None
    since = [one for one in attempts if one.dialled_at >= row.wanted_at or one.ended_at is None]
    known = [one for one in since if one.outcome != Outcome.LOST]
    return Wish(
        since=row.wanted_at,
        offer_id=row.offer_id,
        attempts=len(known),
        lost=len(since) - len(known),
        last_accepted=max((one.accepted_at for one in known if one.accepted_at is not None), default=None),
    )


def attempts_of(conn: Connection, leg_id: str) -> Sequence[Row[Any]]:
    return conn.execute(select(leg_attempt).where(leg_attempt.c.leg_id == leg_id)).all()


def current_offer(conn: Connection, incident_id: str) -> Offer | None:
    row = conn.execute(_OFFER, {"incident": incident_id}).first()
    return None if row is None else Offer(row.id, row.wanted_at, row.skill)


def is_taken(conn: Connection, attempt: Row[Any]) -> bool:
    """Whether this worker comes too late: he was asked by an offer, and since it began another worker has accepted."""
    if attempt.role != Role.WORKER:
        return False
    asked = conn.execute(
        select(offer.c.id, offer.c.wanted_at).join(leg, leg.c.offer_id == offer.c.id).where(leg.c.id == attempt.leg_id)
    ).first()
    if asked is None:
        return False  # a person wanted him
    others = conn.execute(
        select(leg_attempt.c.accepted_at)
        .join(leg, leg.c.id == leg_attempt.c.leg_id)
        .where(
            leg.c.incident_id == attempt.incident_id,
            leg.c.role == Role.WORKER,
            leg.c.id != attempt.leg_id,
            leg_attempt.c.accepted_at >= asked.wanted_at,
            func.coalesce(leg_attempt.c.outcome, "") != Outcome.LOST,
        )
    )
    return others.first() is not None


def _need_open(tx: Tx, incident_id: str) -> None:
    state = tx.conn.scalar(select(incident.c.state).where(incident.c.id == incident_id))
    if state is None:
        raise UnknownIncident(incident_id)
    if state != "open":
        raise AlreadyClosed(incident_id)


__all__ = ["SqlWishes", "Wanted"]
