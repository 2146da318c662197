"""Incidents with their alarms, legs and events: one read for a page of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, or_, select

from agent_console.api.shapes import AlarmOut, EventOut, IncidentOut, LegOut
from agent_console.eyes import Eyes
from agent_console.queries import elders, offers, storm
from agent_console.queries.events import event_out
from ivr.domain.incident import NOT_HIS, Role
from ivr.store.tables import alarm, event, incident, leg

EVENTS_SHOWN = 1000  # of one incident; a long night has a few hundred
# Read in every round of live updates; built once, for making a statement costs as much as running it.
_IDS: BindParameter[Sequence[str]] = bindparam("ids", expanding=True)
_ONE = select(incident).where(incident.c.id == bindparam("id"))
_OTHERS = (
    select(incident.c.id)
    .where(incident.c.elder_no == bindparam("elder_no"), incident.c.state == "open", incident.c.id != bindparam("id"))
    .order_by(incident.c.id)
)
_LEGS = select(leg).where(leg.c.incident_id.in_(_IDS))
ALARMS = select(alarm).where(alarm.c.incident_id.in_(_IDS)).order_by(alarm.c.id)
_LATEST = select(event).where(event.c.incident_id.in_(_IDS)).order_by(event.c.seq.desc()).limit(bindparam("most"))
_ROLE_ORDER = {role: place for place, role in enumerate(Role)}


def page(
    conn: Connection, state: str, limit: int, cursor: str | None, eyes: Eyes
) -> tuple[list[IncidentOut], str | None]:
    """Newest first, and in a storm the open ones by risk; the cursor is where the page before ended.

    Going through the pages of a storm, an incident whose risk rises meanwhile may be met twice or be passed by: who
    must not miss any follows the events.
    """
    if state == "open" and storm.is_active(conn):
        return _page_by_risk(conn, limit, cursor, eyes)
    cursor = cursor.rpartition(".")[2] if cursor else None  # one of a storm that has just ended
    query = select(incident).order_by(incident.c.id.desc()).limit(limit + 1)
    if state != "all":
        query = query.where(incident.c.state == state)
    if cursor:
        query = query.where(incident.c.id < cursor)
    rows = conn.execute(query).all()
    items = _filled(conn, rows[:limit], eyes)
    return items, rows[limit - 1].id if len(rows) > limit else None


def _page_by_risk(conn: Connection, limit: int, cursor: str | None, eyes: Eyes) -> tuple[list[IncidentOut], str | None]:
    query = storm.by_risk().limit(limit + 1)
    rank, dot, last = (cursor or "").partition(".")
    if dot and rank.isdecimal():
        at = min(int(rank), 10_000)
        query = query.where(or_(at > storm.RANK, and_(storm.RANK.in_([at]), incident.c.id > last)))
    rows = conn.execute(query).all()
    end = rows[limit - 1] if len(rows) > limit else None
    return _filled(conn, rows[:limit], eyes), f"{end.rank}.{end.id}" if end else None


def one(conn: Connection, incident_id: str, eyes: Eyes, *, events: int = EVENTS_SHOWN) -> IncidentOut | None:
    """With the elder's whole file and the latest so many events."""
    row = conn.execute(_ONE, {"id": incident_id}).first()
    if row is None:
        return None
    found = _filled(conn, [row], eyes, events)[0]
    found.offer = offers.offer_of(conn, incident_id)
    found.packages = offers.packages_of(conn, incident_id)
    if row.elder_no:
        found.elder = elders.full(conn, row.elder_no, eyes)
        his = {"elder_no": row.elder_no, "id": incident_id}
        found.others_open = list(conn.scalars(_OTHERS, his)) if row.state == "open" else []
    return found


def legs_of(conn: Connection, incident_ids: Sequence[str], eyes: Eyes) -> dict[str, list[LegOut]]:
    rows = sorted(
        conn.execute(_LEGS, {"ids": list(incident_ids)}),
        key=lambda row: (_ROLE_ORDER.get(row.role, 9), row.priority, row.id),
    )
    found: dict[str, list[LegOut]] = {one: [] for one in incident_ids}
    for row in rows:
        found[row.incident_id].append(leg_out(row, eyes))
    return found


def leg_out(row: Any, eyes: Eyes) -> LegOut:
    inside = row.role == Role.AGENT  # an extension is nobody's private number
    return LegOut(
        id=row.id,
        role=row.role,
        # A leg without a known name carries its number as its name.
        name=row.name if row.name != row.phone or inside else eyes.number(row.name),
        phone=row.phone if inside else eyes.number(row.phone),
        state=row.state,
        attempts=row.attempts,
        dialled_at=row.dialled_at,
        ringing_at=row.ringing_at,
        answered_at=row.answered_at,
        accepted_at=row.accepted_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        wanted_at=row.wanted_at,
        wanted_by=row.wanted_by,
        worker_no=row.worker_no,
        not_his=row.role == Role.FAMILY and row.priority >= NOT_HIS,
    )


def _filled(conn: Connection, rows: Sequence[Any], eyes: Eyes, events_shown: int = EVENTS_SHOWN) -> list[IncidentOut]:
    ids = [row.id for row in rows]
    if not ids:
        return []
    wanted = {no for row in rows for no in (row.elder_no, *(row.elder_choices or ())) if no}
    known = elders.short(conn, wanted, eyes)
    legs = legs_of(conn, ids, eyes)
    alarms: dict[str, list[AlarmOut]] = {one: [] for one in ids}
    for row in conn.execute(ALARMS, {"ids": ids}):
        alarms[row.incident_id].append(_alarm(row, eyes))
    events: dict[str, list[EventOut]] = {one: [] for one in ids}
    for row in _latest(conn, ids, events_shown):
        events[row.incident_id].append(event_out(row))
    return [
        IncidentOut(
            id=row.id,
            state=row.state,
            elder=known.get(row.elder_no) if row.elder_no else None,
            elder_choices=elders.chosen(known, row.elder_choices, row.elder_no),
            needs_look=row.needs_look,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
            closed_by=row.closed_by,
            outcome=row.outcome,
            reason=row.reason,
            family=row.family,
            family_reason=row.family_reason,
            arrived_at=row.arrived_at,
            arrived_by=row.arrived_by,
            unknown_device=row.unknown_device,
            refers_to=row.refers_to,
            place=row.place,
            triage=row.triage,
            risk=row.risk,
            alarms=alarms[row.id],
            legs=legs[row.id],
            events=events[row.id],
        )
        for row in rows
    ]


def _latest(conn: Connection, ids: Sequence[str], most: int) -> list[Any]:
    rows = conn.execute(_LATEST, {"ids": list(ids), "most": most}).all()
    return list(reversed(rows))


def _alarm(row: Any, eyes: Eyes) -> AlarmOut:
    return AlarmOut(
        id=row.id,
        source=row.source,
        kind=row.kind,
        device_id=row.device_id,
        phone=eyes.opt_number(row.phone),
        elder_no=row.elder_no,
        at=row.at,
        received_at=row.received_at,
        note=row.note,
        location=row.location,
        clock_off_s=row.clock_off_s,
    )
