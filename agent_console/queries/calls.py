"""Inbound calls with their legs, ticket and what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from agent_console.api.shapes import CallOut, HeardOut, LegOut
from agent_console.eyes import Eyes
from agent_console.queries import elders, incidents, tickets
from ivr.store.tables import agent, call, event


def page(
    conn: Connection,
    start: datetime | None,
    end: datetime | None,
    number: str | None,
    limit: int,
    cursor: str | None,
    eyes: Eyes,
) -> tuple[list[CallOut], str | None]:
    """Newest first; `from` is included, `to` is not."""
    query = select(call).order_by(call.c.id.desc()).limit(limit + 1)
    if start:
        query = query.where(call.c.arrived_at >= start)
    if end:
        query = query.where(call.c.arrived_at < end)
    if number:
        query = query.where(call.c.caller_id == number)
    if cursor:
        query = query.where(call.c.id < cursor)
    rows = conn.execute(query).all()
    return _filled(conn, rows[:limit], eyes), rows[limit - 1].id if len(rows) > limit else None


def one(conn: Connection, call_id: str, eyes: Eyes) -> CallOut | None:
    row = conn.execute(select(call).where(call.c.id == call_id)).first()
    return _filled(conn, [row], eyes)[0] if row else None


def _filled(conn: Connection, rows: Sequence[Any], eyes: Eyes) -> list[CallOut]:
    if not rows:
        return []
    found = tickets.some(conn, [row.ticket_no for row in rows if row.ticket_no], eyes)
    legs = incidents.legs_of(conn, [row.incident_id for row in rows if row.incident_id], eyes)
    known = elders.short(conn, [row.elder_no for row in rows if row.elder_no], eyes)
    names = {row.extension: row.name for row in conn.execute(select(agent.c.extension, agent.c.name))}
    heard: dict[str, list[HeardOut]] = {row.id: [] for row in rows}
    told = select(event).where(event.c.call_id.in_(list(heard)), event.c.kind == "speech.heard").order_by(event.c.seq)
    for row in conn.execute(told):
        heard[row.call_id].append(HeardOut.model_validate({**row.data, "at": row.at}))
    return [
        CallOut(
            id=row.id,
            did=row.did,
            caller_id=eyes.number(row.caller_id),
            kind=row.kind,
            elder=known.get(row.elder_no) if row.elder_no else None,
            elder_choices=found[row.ticket_no].elder_choices if row.ticket_no in found else [],
            incident_id=row.incident_id,
            ticket_no=row.ticket_no,
            ticket=found.get(row.ticket_no),
            arrived_at=row.arrived_at,
            answered_at=row.answered_at,
            queued_at=row.queued_at,
            connected_at=row.connected_at,
            ended_at=row.ended_at,
            extension=row.extension,
            outcome=row.outcome,
            legs=legs[row.incident_id] if row.incident_id else _routine_legs(row, names),
            heard=heard[row.id],
        )
        for row in rows
    ]


def _routine_legs(row: Any, names: dict[str, str]) -> list[LegOut]:
    """Asterisk's queue finds the agent of an ordinary call: his leg is known once he speaks."""
    if not row.extension:
        return []
    return [
        LegOut(
            id=f"{row.id}-agent",
            role="agent",
            name=names.get(row.extension, row.extension),
            phone=row.extension,
            state="ended" if row.ended_at else "accepted",
            attempts=1,
            answered_at=row.connected_at,
            accepted_at=row.connected_at,
            ended_at=row.ended_at,
            outcome="talked" if row.ended_at else None,
        )
    ]
