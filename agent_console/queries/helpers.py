"""Who can be sent, in order and with reasons; and whom a wish for a leg means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from agent_console.api.shapes import HelperOut, HelpersOut, LegOut
from agent_console.eyes import Eyes
from agent_console.queries import incidents
from ivr import clock
from ivr.domain.incident import Role
from ivr.domain.numbers import is_dialable
from ivr.domain.ranking import Ranked
from ivr.services.packages import AMBULANCE
from ivr.store import helpers
from ivr.store.incident_view import incident_view
from ivr.store.tables import alarm, contact, elder, hospital, incident, worker


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody on a list of ours: no other number is dialled for anybody's asking."""

    role: Role
    phone: str
    name: str
    worker_no: str | None = None


def ranked(conn: Connection, incident_id: str, skill: str | None, limit: int, eyes: Eyes) -> HelpersOut | None:
    """None for an incident that is not there. Who is beyond the limit is counted, not hidden."""
    if conn.scalar(select(incident.c.id).where(incident.c.id == incident_id)) is None:
        return None
    workers, hospitals = helpers.ranking(conn, incident_id, skill)
    items = [_shown(one, eyes) for one in (*workers[:limit], *hospitals[:limit])]
    return HelpersOut(items=items, left_out=len(workers) + len(hospitals) - len(items))


def _shown(one: Ranked, eyes: Eyes) -> HelperOut:
    return HelperOut(
        role=one.role,
        worker_no=one.key if one.role is Role.WORKER else None,
        name=one.name,
        phone=eyes.number(one.phone),
        reasons=list(one.reasons),
        distance_km=None if one.distance_km is None else round(one.distance_km, 2),
    )


def target(
    conn: Connection, incident_id: str, role: str, key: str | None, phone: str | None, ambulance: str
) -> Target | None:
    """`key`: a worker's number or a hospital's name. None when nobody of this role is meant by it."""
    if role == Role.WORKER:
        query = select(worker).where(worker.c.worker_no == key if key else worker.c.phone == phone)
        row: Any = conn.execute(query.order_by(worker.c.worker_no).limit(1)).first()
        return Target(Role.WORKER, row.phone, row.name, row.worker_no) if row else None
    if role == Role.HOSPITAL:
        if ambulance and phone == ambulance and not key:
            return Target(Role.HOSPITAL, ambulance, AMBULANCE)
        query = select(hospital).where(hospital.c.name == key if key else hospital.c.phone == phone)
        row = conn.execute(query.order_by(hospital.c.name).limit(1)).first()
        return Target(Role.HOSPITAL, row.phone, row.name) if row else None
    there = conn.execute(
        select(incident.c.elder_no, incident.c.elder_choices).where(incident.c.id == incident_id)
    ).first()
    if there is None:
        return None
    owners = [one for one in (there.elder_no, *(there.elder_choices or ())) if one]
    row = conn.execute(
        select(contact.c.name, contact.c.phone).where(contact.c.elder_no.in_(owners), contact.c.phone == phone).limit(1)
    ).first()
    return Target(Role.FAMILY, row.phone, row.name) if row else None


@dataclass(frozen=True, slots=True)
class ElderLine:
    phone: str | None  # the one to be dialled: where he called from, else his file's
    phones: frozenset[str]  # all that are known to be his
    name: str
    is_open: bool  # he is on the line


def elder_line(conn: Connection, incident_id: str) -> ElderLine | None:
    """None for an incident that is not there."""
    view = incident_view(conn, incident_id, clock.now())
    if view is None:
        return None
    file = conn.execute(
        select(elder.c.name, elder.c.phone, elder.c.mobile)
        .join(incident, incident.c.elder_no == elder.c.elder_no)
        .where(incident.c.id == incident_id)
    ).first()
    called_from = conn.scalars(select(alarm.c.phone).where(alarm.c.incident_id == incident_id)).all()
    his = {phone for phone in (*called_from, *((file.phone, file.mobile) if file else ())) if phone}
    # A line that came to us has no time to ring until; it may be in the room any moment.
    lines = [one for one in view.of(Role.ELDER) if one.live]
    return ElderLine(
        phone=view.elder_phone if view.elder_phone and is_dialable(view.elder_phone) else None,
        phones=frozenset(phone for phone in his if is_dialable(phone)),
        name=file.name if file else "来电人",
        is_open=any(one.ring_until is None or one.answered_at or one.accepted_at for one in lines),
    )


def leg(conn: Connection, incident_id: str, leg_id: str, eyes: Eyes) -> LegOut:
    return next(one for one in incidents.legs_of(conn, [incident_id], eyes)[incident_id] if one.id == leg_id)
