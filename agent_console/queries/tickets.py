"""Service tickets with their events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from agent_console.api.shapes import EventOut, TicketOut
from agent_console.eyes import Eyes
from agent_console.queries import elders
from agent_console.queries.events import event_out
from ivr.store.tables import event, ticket, worker


def page(
    conn: Connection, state: str, limit: int, cursor: str | None, eyes: Eyes
) -> tuple[list[TicketOut], str | None]:
    """Newest first; the cursor is the last number of the page before."""
    query = select(ticket).order_by(ticket.c.no.desc()).limit(limit + 1)
    if state != "all":
        query = query.where(ticket.c.state == state)
    if cursor:
        query = query.where(ticket.c.no < cursor)
    rows = conn.execute(query).all()
    return _filled(conn, rows[:limit], eyes), rows[limit - 1].no if len(rows) > limit else None


def some(conn: Connection, numbers: Sequence[str], eyes: Eyes) -> dict[str, TicketOut]:
    rows = conn.execute(select(ticket).where(ticket.c.no.in_(numbers))).all()
    return {one.no: one for one in _filled(conn, rows, eyes)}


def one(conn: Connection, no: str, eyes: Eyes) -> TicketOut | None:
    return some(conn, [no], eyes).get(no)


def worker_exists(conn: Connection, worker_no: str) -> bool:
    return conn.scalar(select(worker.c.worker_no).where(worker.c.worker_no == worker_no)) is not None


def _filled(conn: Connection, rows: Sequence[Any], eyes: Eyes) -> list[TicketOut]:
    if not rows:
        return []
    known = elders.short(conn, {no for row in rows for no in (row.elder_no, *(row.elder_choices or ())) if no}, eyes)
    events: dict[str, list[EventOut]] = {row.no: [] for row in rows}
    for row in conn.execute(select(event).where(event.c.ticket_no.in_(list(events))).order_by(event.c.seq)):
        events[row.ticket_no].append(event_out(row))
    return [
        TicketOut(
            no=row.no,
            state=row.state,
            call_id=row.call_id,
            elder=known.get(row.elder_no) if row.elder_no else None,
            elder_choices=elders.chosen(known, row.elder_choices, row.elder_no),
            caller_id=eyes.opt_number(row.caller_id),
            category=row.category,
            note=row.note,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            outcome=row.outcome,
            call_back=row.call_back,
            events=events[row.no],
        )
        for row in rows
    ]
