"""Legs and their attempts. An attempt's row is the ledger of one outbound call: written before Asterisk is told.

Its id is the ChannelId, so whatever Asterisk says later finds its way back, also after a restart of the engine.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, func, insert, select, update
from ulid import ULID

from ivr.domain.cascade import Family
from ivr.domain.incident import NOT_HIS, IncidentView, LegState, Outcome, Role
from ivr.store.db import Store
from ivr.store.incident_view import STAFF, incident_view
from ivr.store.tables import incident, leg, leg_attempt
from ivr.store.tx import Tx
from ivr.store.wishes import is_taken

# Asked for every channel that rings, answers or ends: built once.
_FIND = (
    select(leg_attempt, leg.c.role, leg.c.priority, leg.c.wanted_at)
    .join(leg, leg.c.id == leg_attempt.c.leg_id)
    .where(leg_attempt.c.node == bindparam("node"), leg_attempt.c.uniqueid == bindparam("uniqueid"))
)
# Hung up by Asterisk, or refused because it takes no new calls any more: both look like a person's doing.
_PERHAPS_TORN = (
    Outcome.TALKED,
    Outcome.HUNG_UP,
    Outcome.NOT_CONFIRMED,
    Outcome.NO_ANSWER,
    Outcome.UNREACHABLE,
    Outcome.FAILED,
)


class SqlLegs:
    """Implements the `Legs` port. `owner` names this engine process in the leases."""

    def __init__(self, store: Store, node: str, owner: str) -> None:
        self._store = store
        self._node = node
        self._owner = owner

    async def view(self, incident_id: str, now: datetime) -> IncidentView | None:
        """All that is needed to decide about one incident, in one consistent read."""
        return await self._store.look(lambda conn: incident_view(conn, incident_id, now))

    async def begin_attempt(
        self,
        incident_id: str,
        role: Role,
        phone: str,
        *,
        name: str = "",
        lease_s: float = 60.0,
        uniqueid: str | None = None,
    ) -> str | None:
        """Put one dial on record; returns its id, or None when the incident is closed or the leg already lives.

        `uniqueid`: of a channel that is there already (break-in); it is answered, and each is taken once at most.
        """

        def change(tx: Tx) -> str | None:
            state = tx.conn.scalar(select(incident.c.state).where(incident.c.id == incident_id))
            if state != "open":
                return None
            row = (
                tx.conn.execute(
                    select(leg.c.id).where(leg.c.incident_id == incident_id, leg.c.role == role, leg.c.phone == phone)
                )
            ).first()
            if row is None:
                leg_id = str(ULID())
                tx.conn.execute(
                    insert(leg).values(
                        id=leg_id,
                        incident_id=incident_id,
                        role=role,
                        name=name or phone,
                        phone=phone,
                        priority=0,
                        state=LegState.WAITING,
                        attempts=0,
                    )
                )
            else:
                leg_id = row.id
            busy, number = (
                tx.conn.execute(
                    select(
                        func.count().filter(leg_attempt.c.ended_at.is_(None)),
                        func.coalesce(func.max(leg_attempt.c.attempt_no), 0) + 1,
                    ).where(leg_attempt.c.leg_id == leg_id)
                )
            ).one()
            if busy:
                return None
            attempt_id = str(ULID())
            if uniqueid is not None and self._find(tx, uniqueid) is not None:
                return None
            answered = tx.now if uniqueid is not None else None
            tx.conn.execute(
                insert(leg_attempt).values(
                    id=attempt_id,
                    leg_id=leg_id,
                    incident_id=incident_id,
                    attempt_no=number,
                    node=self._node,
                    uniqueid=uniqueid or attempt_id,
                    lease_owner=self._owner,
                    lease_until=tx.now + timedelta(seconds=lease_s),
                    dialled_at=tx.now,
                    answered_at=answered,
                )
            )
            tx.conn.execute(
                update(leg)
                .where(leg.c.id == leg_id)
                .values(
                    state=LegState.ANSWERED if answered else LegState.DIALLED,
                    attempts=number,
                    dialled_at=tx.now,
                    ringing_at=None,
                    answered_at=answered,
                    accepted_at=None,
                    ended_at=None,
                    outcome=None,
                )
            )
            tx.event(
                "leg.dialled",
                incident_id=incident_id,
                leg_id=leg_id,
                role=role,
                attempt=number,
                attempt_id=attempt_id,
                break_in=answered is not None,
            )
            return uniqueid or attempt_id

        return await self._store.write(change)

    async def ringing(self, uniqueid: str) -> None:
        await self._progress(uniqueid, "ringing_at", LegState.RINGING, "leg.ringing")

    async def answered(self, uniqueid: str) -> None:
        await self._progress(uniqueid, "answered_at", LegState.ANSWERED, "leg.answered")

    async def accept(self, uniqueid: str, *, only_first: bool) -> bool:
        """A person said yes. With `only_first` the first of the staff (of the family) wins and every other one hears
        False.

        False too when the incident was closed meanwhile, and for a relative when a person cancelled the family's alarm.
        """

        def change(tx: Tx) -> bool:
            found = self._find(tx, uniqueid)
            if found is None or found.ended_at is not None:
                return False
            if found.accepted_at is not None:
                return True
            now = tx.conn.execute(
                select(incident.c.state, incident.c.family).where(incident.c.id == found.incident_id)
            ).one()
            if now.state != "open":
                return False  # closed while this phone rang: nobody is sent into an empty room
            if found.role == Role.FAMILY and now.family == Family.CANCELLED:
                return False
            if found.role == Role.FAMILY and found.priority >= NOT_HIS and found.wanted_at is None:
                return False  # it has turned out while this phone rang that the elder is another family's
            if is_taken(tx.conn, found):
                return False
            if only_first:
                taken = tx.conn.scalar(
                    select(func.count())
                    .select_from(leg_attempt)
                    .join(leg, leg.c.id == leg_attempt.c.leg_id)
                    .where(
                        leg_attempt.c.incident_id == found.incident_id,
                        leg_attempt.c.accepted_at.is_not(None),
                        leg_attempt.c.ended_at.is_(None),
                        leg.c.role.in_(STAFF if found.role in STAFF else (found.role,)),
                    )
                )
                if taken:
                    return False
            times: dict[str, Any] = {"accepted_at": tx.now}
            if found.answered_at is None:
                times["answered_at"] = tx.now
                tx.event("leg.answered", incident_id=found.incident_id, leg_id=found.leg_id)
            tx.conn.execute(update(leg_attempt).where(leg_attempt.c.id == found.id).values(**times))
            tx.conn.execute(update(leg).where(leg.c.id == found.leg_id).values(state=LegState.ACCEPTED, **times))
            tx.event("leg.accepted", incident_id=found.incident_id, leg_id=found.leg_id, role=found.role)
            return True

        return await self._store.write(change)

    async def declined(self, uniqueid: str) -> None:
        await self._mark(uniqueid, Outcome.DECLINED, "leg.declined")

    async def mark(self, uniqueid: str, outcome: Outcome) -> None:
        """Say beforehand how this attempt will have ended; the channel's end keeps the word."""
        await self._mark(uniqueid, outcome, None)

    async def ended(
        self, uniqueid: str, outcome: Outcome, *, cause: int | None = None, torn: bool = False
    ) -> str | None:
        """The channel is gone. Returns the incident's id when it was a leg of ours that still lived.

        `torn`: Asterisk itself went down under it; even a person who was in the room has been lost.
        """

        def change(tx: Tx) -> str | None:
            found = self._find(tx, uniqueid)
            if found is None or found.ended_at is not None:
                return None
            final = found.outcome or outcome
            if torn:
                final = Outcome.LOST
            elif found.accepted_at is not None:
                final = Outcome.TALKED
            elif found.outcome is None and found.answered_at is not None and outcome is not Outcome.LOST:
                final = Outcome.HUNG_UP if found.role in (Role.ELDER, *STAFF) else Outcome.NOT_CONFIRMED
            tx.conn.execute(
                update(leg_attempt)
                .where(leg_attempt.c.id == found.id)
                .values(ended_at=tx.now, outcome=final, cause=cause)
            )
            tx.conn.execute(
                update(leg).where(leg.c.id == found.leg_id).values(state=LegState.ENDED, ended_at=tx.now, outcome=final)
            )
            tx.event(
                "leg.ended",
                incident_id=found.incident_id,
                leg_id=found.leg_id,
                role=found.role,
                outcome=final,
                cause=cause,
            )
            return str(found.incident_id)

        return await self._store.write(change)

    async def torn(self, within_s: float) -> int:
        """Asterisk is being stopped: who ended just now did not hang up. As far as we know: one too many is dialled
        again rather than one too few."""

        def change(tx: Tx) -> int:
            rows = tx.conn.execute(
                select(leg_attempt.c.id, leg_attempt.c.leg_id, leg_attempt.c.incident_id, leg.c.role)
                .join(leg, leg.c.id == leg_attempt.c.leg_id)
                .where(
                    leg_attempt.c.node == self._node,
                    leg_attempt.c.ended_at >= tx.now - timedelta(seconds=within_s),
                    leg_attempt.c.outcome.in_(_PERHAPS_TORN),
                )
            ).all()
            for row in rows:
                tx.conn.execute(update(leg_attempt).where(leg_attempt.c.id == row.id).values(outcome=Outcome.LOST))
                ended = (leg.c.id == row.leg_id, leg.c.state == LegState.ENDED)
                tx.conn.execute(update(leg).where(*ended).values(outcome=Outcome.LOST))
                tx.event("leg.torn", incident_id=row.incident_id, leg_id=row.leg_id, role=row.role)
            return len(rows)

        return await self._store.write(change)

    async def unheard(self) -> list[str]:
        """Attempts of this node that went out by a trunk and that nothing has been heard of yet."""
        return await self._living(
            leg_attempt.c.answered_at.is_(None), leg.c.state == LegState.DIALLED, leg.c.role != Role.AGENT
        )

    async def live(self) -> dict[str, datetime]:
        """Uniqueid -> dialled_at of every attempt of this node that has not ended as far as we know."""
        query = select(leg_attempt.c.uniqueid, leg_attempt.c.dialled_at).where(
            leg_attempt.c.node == self._node, leg_attempt.c.ended_at.is_(None)
        )
        rows = await self._store.look(lambda conn: conn.execute(query).all())
        return {row.uniqueid: row.dialled_at for row in rows}

    async def describe(self, uniqueid: str) -> tuple[Role, str] | None:
        """(role, incident id) of an attempt, or None when it is not ours."""
        query = (
            select(leg.c.role, leg.c.incident_id)
            .join(leg_attempt, leg_attempt.c.leg_id == leg.c.id)
            .where(leg_attempt.c.node == self._node, leg_attempt.c.uniqueid == uniqueid)
        )
        row = await self._store.look(lambda conn: conn.execute(query).first())
        return (Role(row.role), row.incident_id) if row else None

    async def seat_in_room(self, extension: str) -> list[str]:
        """Uniqueids of this seat's legs that talk in a room."""
        return await self._living(
            leg_attempt.c.accepted_at.is_not(None), leg.c.role == Role.AGENT, leg.c.phone == extension
        )

    async def _living(self, *which: ColumnElement[bool]) -> list[str]:
        """Uniqueids of this node's attempts that have not ended, of `which`."""
        query = (
            select(leg_attempt.c.uniqueid)
            .join(leg, leg.c.id == leg_attempt.c.leg_id)
            .where(leg_attempt.c.node == self._node, leg_attempt.c.ended_at.is_(None), *which)
        )
        return list(await self._store.look(lambda conn: conn.scalars(query).all()))

    def _find(self, tx: Tx, uniqueid: str) -> Any:
        return tx.conn.execute(_FIND, {"node": self._node, "uniqueid": uniqueid}).first()

    async def _progress(self, uniqueid: str, column: str, state: LegState, kind: str) -> None:
        def change(tx: Tx) -> None:
            found = self._find(tx, uniqueid)
            if found is None or found.ended_at is not None or getattr(found, column) is not None:
                return
            tx.conn.execute(update(leg_attempt).where(leg_attempt.c.id == found.id).values({column: tx.now}))
            values: dict[str, Any] = {column: tx.now}
            if found.accepted_at is None and (state is not LegState.RINGING or found.answered_at is None):
                values["state"] = state
            tx.conn.execute(update(leg).where(leg.c.id == found.leg_id).values(values))
            tx.event(kind, incident_id=found.incident_id, leg_id=found.leg_id, role=found.role)

        await self._store.write(change)

    async def _mark(self, uniqueid: str, outcome: Outcome, kind: str | None) -> None:
        def change(tx: Tx) -> None:
            found = self._find(tx, uniqueid)
            if found is None or found.outcome is not None:
                return
            tx.conn.execute(update(leg_attempt).where(leg_attempt.c.id == found.id).values(outcome=outcome))
            if kind:
                tx.event(kind, incident_id=found.incident_id, leg_id=found.leg_id, role=found.role)

        await self._store.write(change)
