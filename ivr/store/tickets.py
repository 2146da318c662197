"""Tickets: opened at the start of a call, closed by a person."""

from __future__ import annotations

from typing import Any

from sqlalchemy import bindparam, insert, select, update

from ivr.domain.incident import ArrivedCall, UnknownElder
from ivr.store import calls, people
from ivr.store.db import Store
from ivr.store.prepared import Prepared, inserting
from ivr.store.tables import call, counter, ticket
from ivr.store.tx import Tx

_COUNT = Prepared(
    update(counter).where(counter.c.name == "ticket").values(value=counter.c.value + 1).returning(counter.c.value)
)
_KNOWN = Prepared(
    select(call.c.id, call.c.ticket_no).where(
        call.c.node == bindparam("node"), call.c.uniqueid == bindparam("uniqueid")
    )
)
_INSERT = inserting(
    ticket, "no", "state", "call_id", "elder_no", "elder_choices", "caller_id", "opened_at", "call_back"
)


def next_number(tx: Tx) -> str:
    """`T00000123`: counts without gaps inside committed transactions (both databases lock the row)."""
    value = _COUNT.scalar(tx.conn)
    if value is None:
        value = 1
        tx.conn.execute(insert(counter).values(name="ticket", value=value))
    return f"T{value:08d}"


class SqlTickets:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def open_for_call(self, arrived: ArrivedCall) -> tuple[str, str] | None:
        """Call row and ticket in one transaction; returns (call_id, ticket no). Idempotent per channel.

        None when the number is a registered device's: its call is an emergency, and nothing was stored. Found out
        here because a look of its own cost every call a hand-over between threads more.
        """

        def change(tx: Tx) -> tuple[str, str] | None:
            known = _KNOWN.first(tx.conn, node=arrived.node, uniqueid=arrived.uniqueid)
            if known is not None and known.ticket_no:
                return known.id, known.ticket_no
            match = people.match_number(tx.conn, arrived.caller_id)
            if match.is_device:
                return None
            no = next_number(tx)
            call_id = calls.add(tx, arrived, kind="routine", elder_no=match.elder_no, ticket_no=no)
            _INSERT.run(
                tx.conn,
                no=no,
                state="open",
                call_id=call_id,
                elder_no=match.elder_no,
                elder_choices=list(match.choices),
                caller_id=arrived.caller_id,
                opened_at=tx.now,
                call_back=False,
            )
            tx.event(
                "ticket.opened",
                ticket_no=no,
                call_id=call_id,
                elder_no=match.elder_no,
                elder_choices=list(match.choices),
            )
            return call_id, no

        return await self._store.write(change)

    async def open_by_hand(self, *, elder_no: str | None, category: str | None, note: str | None, by: str) -> str:
        """A ticket without a call (API, an agent's note). Raises UnknownElder."""

        def change(tx: Tx) -> str:
            if elder_no is not None and not people.elder_exists(tx.conn, elder_no):
                raise UnknownElder(elder_no)
            no = next_number(tx)
            tx.conn.execute(
                insert(ticket).values(
                    no=no,
                    state="open",
                    elder_no=elder_no,
                    elder_choices=[elder_no] if elder_no else [],
                    category=category,
                    note=note,
                    opened_at=tx.now,
                    call_back=False,
                )
            )
            tx.event("ticket.opened", ticket_no=no, elder_no=elder_no, by=by)
            return no

        return await self._store.write(change)

    async def field_event(self, no: str, kind: str, **data: Any) -> bool:
        """Journal a field event; `closed` closes. False when there is no such ticket."""

        def change(tx: Tx) -> bool:
            if tx.conn.scalar(select(ticket.c.no).where(ticket.c.no == no)) is None:
                return False
            if kind == "closed":
                done = tx.conn.execute(
                    update(ticket)
                    .where(ticket.c.no == no, ticket.c.closed_at.is_(None))
                    .values(state="closed", closed_at=tx.now, call_back=False)
                )
                if not done.rowcount:
                    return True  # closed before: it is not closed twice in the journal
            tx.event(f"ticket.{kind}", ticket_no=no, **data)
            return True

        return await self._store.write(change)
