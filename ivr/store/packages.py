"""The outbox of packages: on record with the wish for the hospital, leased, tried until taken or given up.

At least once: a crash between the hospital's "yes" and our note of it sends the same body under the same key again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update
from ulid import ULID

from ivr.domain.incident import AlreadyClosed, UnknownIncident
from ivr.domain.package import WORSE, contents, is_worse
from ivr.domain.pushing import PushPolicy, next_try
from ivr.services.packages import AMBULANCE, Parcel
from ivr.store.db import Store
from ivr.store.package_facts import gather
from ivr.store.tables import event, hospital, incident, package
from ivr.store.tx import Tx

NOT_NEEDED = ("false_alarm", "test")
"""Outcomes after which nobody's illnesses are sent any more."""


def queue(tx: Tx, incident_id: str, target: str, *, ambulance: bool = False, by: str | None = None) -> bool:
    """Put a package for this hospital (or `AMBULANCE`) into the outbox; False when nobody takes it there, or one that
    is not under way yet will say it all. `by`: a person who wants it without a leg."""
    if not (ambulance if target == AMBULANCE else _takes(tx, target)):
        return False
    last = tx.conn.execute(
        select(package.c.number, package.c.state, package.c.body)
        .where(package.c.incident_id == incident_id, package.c.target == target)
        .order_by(package.c.number.desc())
    ).first()
    if last is not None and last.state == "queued" and last.body is None:
        return False
    number = last.number + 1 if last else 1
    tx.conn.execute(
        insert(package).values(
            id=str(ULID()), incident_id=incident_id, target=target, number=number,
            state="queued", queued_at=tx.now, due_at=tx.now, tries=0,
        )
    )  # fmt: skip
    asked: dict[str, Any] = {"by": by} if by else {}
    tx.event("package.queued", incident_id=incident_id, target=target, number=number, **asked)
    return True


def _takes(tx: Tx, name: str) -> bool:
    found = tx.conn.execute(
        select(hospital.c.name).where(
            hospital.c.name == name, hospital.c.endpoint.is_not(None), hospital.c.push_secret.is_not(None)
        )
    )
    return found.first() is not None


class SqlOutbox:
    """Implements the console's port `Outbox`: a package that a person sends, without anybody being rung."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def send_to_ambulance(self, incident_id: str, *, by: str) -> bool:
        """False when one is waiting already that will say all that is known then. That 120 takes packages the caller
        has checked: it stands in the settings.

        Raises:
            UnknownIncident, AlreadyClosed
        """

        def change(tx: Tx) -> bool:
            state = tx.conn.scalar(select(incident.c.state).where(incident.c.id == incident_id))
            if state is None:
                raise UnknownIncident(incident_id)
            if state != "open":
                raise AlreadyClosed(incident_id)
            return queue(tx, incident_id, AMBULANCE, ambulance=True, by=by)

        return await self._store.write(change)


class SqlPackages:
    """Implements the `Packages` port. `owner` names this engine process in the leases."""

    def __init__(self, store: Store, owner: str, centre_phone: str, policy: PushPolicy) -> None:
        self._store = store
        self._owner = owner
        self._centre_phone = centre_phone
        self._policy = policy

    async def lease(self, most: int, lease_s: float) -> Sequence[Parcel]:
        """Packages that are due, each for this process alone until the lease runs out; bodies are made here, once."""

        def change(tx: Tx) -> list[Parcel]:
            rows = tx.conn.execute(
                select(package, incident.c.state.label("incident_state"), incident.c.outcome.label("incident_outcome"))
                .join(incident, incident.c.id == package.c.incident_id)
                .where(
                    package.c.state == "queued",
                    package.c.due_at <= tx.now,
                    or_(package.c.lease_until.is_(None), package.c.lease_until < tx.now),
                )
                .order_by(package.c.due_at, package.c.id)
                .limit(most)
            ).all()
            parcels = []
            for row in rows:
                if row.incident_state == "closed" and row.incident_outcome in NOT_NEEDED:
                    tx.conn.execute(
                        update(package)
                        .where(package.c.id == row.id)
                        .values(state="dropped", body=None, ended_at=tx.now, why="not_needed")
                    )
                    continue
                values = {"lease_owner": self._owner, "lease_until": tx.now + timedelta(seconds=lease_s)}
                body = row.body
                if body is None:
                    facts, seq = gather(tx.conn, row.incident_id, row.target, self._centre_phone)
                    body = json.dumps(contents(facts, row.id, row.number, tx.now), ensure_ascii=False)
                    values |= {"body": body, "known_seq": seq}
                tx.conn.execute(update(package).where(package.c.id == row.id).values(**values))
                to = tx.conn.execute(
                    select(hospital.c.endpoint, hospital.c.push_secret).where(hospital.c.name == row.target)
                ).first()
                parcels.append(
                    Parcel(
                        row.id, row.target, body.encode(), to.endpoint if to else None, to.push_secret if to else None
                    )
                )
            return parcels

        return await self._store.write(change)

    async def sent(self, package_id: str) -> None:
        def change(tx: Tx) -> None:
            row = tx.conn.execute(select(package).where(package.c.id == package_id)).one()
            if row.state != "queued":
                return
            tx.conn.execute(
                update(package)
                .where(package.c.id == package_id)
                .values(state="sent", body=None, tries=row.tries + 1, ended_at=tx.now, why=None, lease_until=None)
            )
            tx.event(
                "package.sent",
                incident_id=row.incident_id,
                target=row.target,
                number=row.number,
                tries=row.tries + 1,
                after_s=round((tx.now - row.queued_at).total_seconds(), 3),
            )

        await self._store.write(change)

    async def failed(self, package_id: str, why: str) -> None:
        """Not taken this time. Journalled when it is new, and when it is the last."""

        def change(tx: Tx) -> None:
            row = tx.conn.execute(select(package).where(package.c.id == package_id)).one()
            if row.state != "queued":
                return
            tries = row.tries + 1
            again = next_try(tries, row.queued_at, tx.now, self._policy)
            values = {"tries": tries, "why": why, "lease_until": None, "lease_owner": None}
            if again is None:
                values |= {"state": "failed", "body": None, "ended_at": tx.now}
            else:
                values |= {"due_at": again}
            tx.conn.execute(update(package).where(package.c.id == package_id).values(**values))
            if again is None or why != row.why:
                tx.event(
                    "package.failed", incident_id=row.incident_id, target=row.target, number=row.number,
                    tries=tries, why=why, given_up=again is None,
                )  # fmt: skip
            if again is None:
                tx.event("incident.escalated", incident_id=row.incident_id, why="package_not_delivered")

        await self._store.write(change)

    async def tell_again(self, *, ambulance: bool) -> int:
        """Queue one more package wherever something worse became known after the last one was made."""
        if not await self._store.look(_with_news):
            return 0  # as nearly always: then nobody's call waits behind a write of ours
        return await self._store.write(
            lambda tx: sum(queue(tx, *where, ambulance=ambulance) for where in _with_news(tx.conn))
        )

    async def next_due(self) -> datetime | None:
        """When the next package may be tried, so that nobody has to ask the database again and again."""
        query = select(package.c.due_at, package.c.lease_until).where(package.c.state == "queued").limit(1000)
        rows = await self._store.look(lambda conn: conn.execute(query).all())
        return min((max(row.due_at, row.lease_until or row.due_at) for row in rows), default=None)

    async def reclaim(self, node: str) -> None:
        """At the start of an engine: what the one before it on this node had leased is free, it is dead."""

        def change(tx: Tx) -> None:
            tx.conn.execute(
                update(package)
                .where(package.c.state == "queued", package.c.lease_owner.startswith(f"{node}-", autoescape=True))
                .values(lease_until=None, lease_owner=None)
            )

        await self._store.write(change)


def _with_news(conn: Connection) -> list[tuple[str, str]]:
    """(incident, target) of those who were told, and do not know the worst yet."""
    latest = (
        select(package.c.incident_id, package.c.target, func.max(package.c.number).label("number"))
        .group_by(package.c.incident_id, package.c.target)
        .subquery()
    )
    rows = conn.execute(
        select(package.c.incident_id, package.c.target, package.c.known_seq)
        .join(
            latest,
            and_(
                package.c.incident_id == latest.c.incident_id,
                package.c.target == latest.c.target,
                package.c.number == latest.c.number,
            ),
        )
        .join(incident, incident.c.id == package.c.incident_id)
        .where(incident.c.state == "open", package.c.known_seq.is_not(None))
    ).all()
    found = []
    for row in rows:
        news = conn.execute(
            select(event.c.kind, event.c.data).where(
                event.c.incident_id == row.incident_id, event.c.kind.in_(WORSE), event.c.seq > row.known_seq
            )
        )
        if any(is_worse(one.kind, one.data) for one in news):
            found.append((row.incident_id, row.target))
    return found


__all__ = ["AMBULANCE", "SqlOutbox", "SqlPackages", "queue"]
