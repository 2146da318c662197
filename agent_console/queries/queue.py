"""Who waits, and which seats there are."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, or_, select

from agent_console.api.shapes import AgentOut, WaitingOut
from agent_console.eyes import Eyes
from agent_console.queries import elders
from ivr import clock
from ivr.store.tables import agent, call, ticket

SHOWN = 200


def waiting(conn: Connection, eyes: Eyes) -> list[WaitingOut]:
    """Answered and not yet with a person, in order of arrival."""
    rows = conn.execute(
        select(call, ticket.c.elder_choices, ticket.c.category, ticket.c.note)
        .outerjoin(ticket, ticket.c.no == call.c.ticket_no)
        .where(
            call.c.ended_at.is_(None),
            call.c.connected_at.is_(None),
            call.c.outcome.is_(None),
            or_(call.c.queued_at.is_not(None), and_(call.c.kind == "routine", call.c.answered_at.is_not(None))),
        )
        .order_by(call.c.arrived_at, call.c.id)
        .limit(SHOWN)
    ).all()
    known = elders.short(conn, {no for row in rows for no in (row.elder_no, *(row.elder_choices or ())) if no}, eyes)
    now = clock.now()
    return [
        WaitingOut(
            call_id=row.id,
            caller_id=eyes.number(row.caller_id),
            elder=known.get(row.elder_no) if row.elder_no else None,
            elder_choices=elders.chosen(known, row.elder_choices, row.elder_no),
            waited_s=round(max(0.0, (now - row.arrived_at).total_seconds()), 1),
            since=row.arrived_at,
            position=place,
            priority=0,
            category=row.category,
            note=row.note,
        )
        for place, row in enumerate(rows, 1)
    ]


def agents(conn: Connection, devices: Mapping[str, str]) -> list[AgentOut]:
    rows = conn.execute(select(agent).order_by(agent.c.extension))
    return [
        AgentOut(
            extension=row.extension,
            name=row.name,
            state=row.state,
            since=row.since,
            reason=row.reason,
            device=devices.get(row.extension, "unknown"),
        )
        for row in rows
    ]
