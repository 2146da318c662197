"""Closed incidents by date, or by a number that was in them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, func, or_, select

from agent_console.api.shapes import RecordOut
from agent_console.eyes import Eyes
from agent_console.queries import elders
from ivr.domain import numbers
from ivr.store.tables import alarm, elder, incident, leg, recording


def page(
    conn: Connection, day: datetime | None, wanted: str | None, cursor: str | None, limit: int, eyes: Eyes
) -> tuple[list[RecordOut], str | None]:
    """Newest first. `day`: its beginning here; `wanted`: a telephone number, an elder's or an incident's."""
    query = select(incident).where(incident.c.state == "closed").order_by(incident.c.id.desc()).limit(limit + 1)
    if day is not None:
        query = query.where(incident.c.opened_at >= day, incident.c.opened_at < day + timedelta(days=1))
    if wanted:
        query = query.where(_is_about(wanted))
    if cursor:
        query = query.where(incident.c.id < cursor)
    rows = conn.execute(query).all()
    shown = rows[:limit]
    known = elders.short(conn, {row.elder_no for row in shown if row.elder_no}, eyes)
    counted = conn.execute(
        select(recording.c.incident_id, func.count())
        .where(recording.c.incident_id.in_([row.id for row in shown]), recording.c.removed_at.is_(None))
        .group_by(recording.c.incident_id)
    )
    recorded = {row[0]: row[1] for row in counted}
    items = [
        RecordOut(
            id=row.id,
            elder=known.get(row.elder_no) if row.elder_no else None,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            outcome=row.outcome,
            recordings=recorded.get(row.id, 0),
        )
        for row in shown
    ]
    return items, shown[-1].id if len(rows) > limit else None


def _is_about(wanted: str) -> ColumnElement[bool]:
    number = numbers.normalise(wanted) or wanted
    theirs = select(elder.c.elder_no).where(or_(elder.c.phone == number, elder.c.mobile == number))
    return or_(
        incident.c.id == wanted.upper(),
        incident.c.elder_no == wanted,
        incident.c.elder_no.in_(theirs),
        incident.c.id.in_(select(alarm.c.incident_id).where(alarm.c.phone == number)),
        incident.c.id.in_(select(leg.c.incident_id).where(leg.c.phone == number)),
    )
