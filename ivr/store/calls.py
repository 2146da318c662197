"""Inbound calls: one row each, from arrival to outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update
from ulid import ULID

from ivr import clock
from ivr.domain.incident import ArrivedCall
from ivr.store.db import Store
from ivr.store.prepared import Prepared, inserting
from ivr.store.tables import call, ticket
from ivr.store.tx import Tx

_OF_CHANNEL = (call.c.node == bindparam("node"), call.c.uniqueid == bindparam("of_uniqueid"))
_FIND = Prepared(select(call.c.id).where(*_OF_CHANNEL))
_ROW = Prepared(
    select(
        call.c.id,
        call.c.kind,
        call.c.outcome,
        call.c.connected_at,
        call.c.parked_at,
        call.c.returned_at,
        call.c.ended_at,
        call.c.incident_id,
        call.c.ticket_no,
    ).where(*_OF_CHANNEL)
)
_INSERT = inserting(
    call, "id", "node", "uniqueid", "linkedid", "did", "caller_id", "kind", "elder_no", "incident_id", "ticket_no",
    "arrived_at",
)  # fmt: skip
_SET_ONCE = {
    column: Prepared(
        update(call)
        .where(call.c.id == bindparam("of_id"), call.c[column].is_(None))
        .values({column: bindparam("now", type_=call.c[column].type)})
    )
    for column in ("answered_at", "queued_at", "connected_at")
}
_END = Prepared(
    update(call).where(call.c.id == bindparam("of_id")).values(ended_at=bindparam("at"), outcome=bindparam("how"))
)
_END_TICKET = Prepared(
    update(ticket)
    .where(ticket.c.no == bindparam("of_no"))
    .values(
        outcome=func.coalesce(ticket.c.outcome, bindparam("how")),
        call_back=or_(ticket.c.call_back, bindparam("back", type_=ticket.c.call_back.type)),
    )
)
_CALL_BACK = update(ticket).where(ticket.c.no == bindparam("of_no")).values(call_back=True)


def find(conn: Connection, node: str, uniqueid: str) -> str | None:
    found: str | None = _FIND.scalar(conn, node=node, of_uniqueid=uniqueid)
    return found


def add(
    tx: Tx,
    arrived: ArrivedCall,
    *,
    kind: str,
    elder_no: str | None,
    incident_id: str | None = None,
    ticket_no: str | None = None,
    ended: bool = False,
) -> str:
    """Put an arrived call on record, once per (node, uniqueid); returns its id."""
    known = find(tx.conn, arrived.node, arrived.uniqueid)
    if known is not None:
        return known
    call_id = str(ULID())
    _INSERT.run(
        tx.conn,
        id=call_id,
        node=arrived.node,
        uniqueid=arrived.uniqueid,
        linkedid=arrived.linkedid,
        did=arrived.did,
        caller_id=arrived.caller_id,
        kind=kind,
        elder_no=elder_no,
        incident_id=incident_id,
        ticket_no=ticket_no,
        arrived_at=tx.now,
    )
    tx.event(
        "call.arrived",
        call_id=call_id,
        incident_id=incident_id,
        ticket_no=ticket_no,
        did=arrived.did,
        call_kind=kind,
        linkedid=arrived.linkedid,
    )
    return call_id


def became_incident(tx: Tx, call_id: str, incident_id: str) -> None:
    """An ordinary call in which somebody cried for help: whoever looks for waiting callers finds it no more."""
    tx.conn.execute(
        update(call)
        .where(call.c.id == call_id, call.c.kind == "routine")
        .values(kind="emergency", incident_id=incident_id, outcome="emergency")
    )


class SqlCalls:
    """What happens to a call after its arrival, told by flows and by Asterisk's events. Every verb is idempotent."""

    def __init__(self, store: Store, node: str) -> None:
        self._store = store
        self._node = node

    def answered(self, call_id: str) -> None:
        """Answered now. Nobody waits for this stamp: the caller hears the greeting meanwhile."""
        at = clock.now()
        self._store.write_later(lambda tx: self._set_once(tx, call_id, "answered_at", "call.answered", at=at))

    async def queued(self, uniqueid: str, position: int) -> None:
        def change(tx: Tx) -> None:
            call_id = find(tx.conn, self._node, uniqueid)
            if call_id:
                self._set_once(tx, call_id, "queued_at", "call.queued", position=position)

        await self._store.write(change)

    async def connected(self, uniqueid: str, extension: str | None, waited_s: float) -> None:
        """A person and the caller hear each other: the seat's extension, or None for the duty phone."""

        def change(tx: Tx) -> None:
            call_id = find(tx.conn, self._node, uniqueid)
            if call_id is None:
                return
            if self._set_once(tx, call_id, "connected_at", "call.connected", extension=extension, waited_s=waited_s):
                tx.conn.execute(update(call).where(call.c.id == call_id).values(extension=extension))

        await self._store.write(change)

    async def abandoned(self, uniqueid: str, waited_s: float) -> None:
        """The caller gave up in the queue: his ticket asks for a call-back."""

        def change(tx: Tx) -> None:
            call_id = find(tx.conn, self._node, uniqueid)
            if call_id is None:
                return
            done = tx.conn.execute(
                update(call).where(call.c.id == call_id, call.c.outcome.is_(None)).values(outcome="abandoned")
            )
            if done.rowcount:
                tx.event("call.abandoned", call_id=call_id, waited_s=waited_s)
                _ask_for_call_back(tx, call_id)

        await self._store.write(change)

    async def parked(self, uniqueid: str, extension: str, incident_id: str) -> None:
        """His agent was taken for an emergency; he waits for the same seat."""

        def change(tx: Tx) -> None:
            call_id = find(tx.conn, self._node, uniqueid)
            if call_id is None:
                return
            tx.conn.execute(update(call).where(call.c.id == call_id).values(parked_at=tx.now, returned_at=None))
            tx.event("call.parked", call_id=call_id, extension=extension, for_incident=incident_id)

        await self._store.write(change)

    async def returned(self, uniqueid: str, extension: str) -> None:
        """A parked caller has a person again: the same seat, or whoever was free first."""

        def change(tx: Tx) -> None:
            call_id = find(tx.conn, self._node, uniqueid)
            if call_id is None:
                return
            waiting = (call.c.id == call_id, call.c.parked_at.is_not(None), call.c.returned_at.is_(None))
            done = tx.conn.execute(update(call).where(*waiting).values(returned_at=tx.now, extension=extension))
            if done.rowcount:
                tx.event("call.returned", call_id=call_id, extension=extension)

        await self._store.write(change)

    async def parked_now(self) -> list[str]:
        """Uniqueids of this node's calls that are parked, as far as is on record."""
        query = select(call.c.uniqueid).where(
            call.c.node == self._node,
            call.c.parked_at.is_not(None),
            call.c.returned_at.is_(None),
            call.c.ended_at.is_(None),
        )
        return await self._store.look(lambda conn: list(conn.scalars(query)))

    async def categories(self, uniqueids: Sequence[str]) -> dict[str, str | None]:
        """Uniqueid -> category of the call's ticket."""
        query = (
            select(call.c.uniqueid, ticket.c.category)
            .join(ticket, ticket.c.no == call.c.ticket_no)
            .where(call.c.node == self._node, call.c.uniqueid.in_(list(uniqueids)))
        )
        rows = await self._store.look(lambda conn: conn.execute(query).all())
        return {row.uniqueid: row.category for row in rows}

    async def outcome(self, call_id: str, outcome: str, *, call_back: bool = False) -> None:
        """The flow knows how the call will end (`duty`, `call_back_promised`, …); the first word stands."""

        def change(tx: Tx) -> None:
            tx.conn.execute(update(call).where(call.c.id == call_id, call.c.outcome.is_(None)).values(outcome=outcome))
            if call_back:
                _ask_for_call_back(tx, call_id)

        await self._store.write(change)

    async def ended(self, uniqueid: str, *, at: datetime | None = None, cause: int | None = None) -> bool:
        """The channel is gone. An unanswered wish leaves a ticket that wants a call-back; a talk closes it.

        Returns whether the channel may be a leg of an incident: only then its attempt has to be looked for.
        """

        def change(tx: Tx) -> bool:
            row = _ROW.first(tx.conn, node=self._node, of_uniqueid=uniqueid)
            if row is None:
                return True
            if row.ended_at is not None:
                return row.incident_id is not None
            call_id = row.id
            left_parked = row.parked_at is not None and row.returned_at is None
            outcome = row.outcome or (
                "hung_up_while_parked" if left_parked else _outcome_at_end(row.kind, row.connected_at)
            )
            _END.run(tx.conn, of_id=call_id, at=at or tx.now, how=outcome)
            tx.event(
                "call.ended",
                call_id=call_id,
                incident_id=row.incident_id,
                ticket_no=row.ticket_no,
                outcome=outcome,
                cause=cause,
            )
            if row.ticket_no:
                back = outcome in ("abandoned", "hung_up_before_answer", "hung_up_while_parked")
                _END_TICKET.run(tx.conn, of_no=row.ticket_no, how=outcome, back=back)
            return row.incident_id is not None

        return await self._store.write(change)

    async def places(self) -> dict[str, tuple[bool, bool]]:
        """Uniqueid -> (was queued, got a person) of this node's routine calls that have not ended."""
        query = select(call.c.uniqueid, call.c.queued_at, call.c.connected_at).where(
            call.c.node == self._node, call.c.ended_at.is_(None), call.c.kind == "routine"
        )
        rows = await self._store.look(lambda conn: conn.execute(query).all())
        return {row.uniqueid: (row.queued_at is not None, row.connected_at is not None) for row in rows}

    async def live(self) -> dict[str, datetime]:
        """Uniqueid -> arrived_at of this node's calls that have not ended as far as we know."""
        query = select(call.c.uniqueid, call.c.arrived_at).where(call.c.node == self._node, call.c.ended_at.is_(None))
        rows = await self._store.look(lambda conn: conn.execute(query).all())
        return {row.uniqueid: row.arrived_at for row in rows}

    def _set_once(
        self,
        tx: Tx,
        call_id: str,
        column: str,
        kind: str,
        *,
        at: datetime | None = None,
        extension: str | None = None,
        **data: Any,
    ) -> bool:
        if not _SET_ONCE[column].run(tx.conn, of_id=call_id, now=at or tx.now):
            return False
        tx.event(kind, call_id=call_id, extension=extension, at=at, **data)
        return True


def _outcome_at_end(kind: str, connected_at: datetime | None) -> str:
    if kind == "emergency":
        return "emergency"
    return "talked" if connected_at is not None else "hung_up_before_answer"


def _ask_for_call_back(tx: Tx, call_id: str) -> None:
    no = tx.conn.scalar(select(call.c.ticket_no).where(call.c.id == call_id))
    if no:
        tx.conn.execute(_CALL_BACK, {"of_no": no})
