"""What is on record about an incident, gathered for the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from ivr.domain.geography import Point, point
from ivr.domain.incident import Role
from ivr.domain.package import Facts, Patient, Relative, Said, what_was_heard
from ivr.store.helpers import located
from ivr.store.tables import alarm, contact, elder, event, hospital, incident, leg

MOST = 200  # of what was said: the newest
_GOING = (Role.WORKER, Role.FAMILY, Role.HOSPITAL)


def gather(conn: Connection, incident_id: str, target: str, centre_phone: str) -> tuple[Facts, int]:
    """The facts, and the journal's last number that they include."""
    seq = conn.scalar(select(func.max(event.c.seq)).where(event.c.incident_id == incident_id)) or 0
    row = conn.execute(select(incident).where(incident.c.id == incident_id)).one()
    nos = [row.elder_no] if row.elder_no else list(row.elder_choices or ())
    people = conn.execute(select(elder).where(elder.c.elder_no.in_(nos)).order_by(elder.c.elder_no)).all()
    near = conn.execute(
        select(contact).where(contact.c.elder_no.in_(nos)).order_by(contact.c.priority, contact.c.id)
    ).all()
    alarms = conn.execute(select(alarm).where(alarm.c.incident_id == incident_id).order_by(alarm.c.id)).all()
    facts = Facts(
        incident_id=incident_id,
        opened_at=row.opened_at,
        centre_phone=centre_phone,
        patients=tuple(_patient(one) for one in people),
        relatives=tuple({one.phone: Relative(one.name, one.relation, one.phone) for one in near}.values()),
        said=_said(conn, incident_id, alarms),
        reported=next((found for one in reversed(alarms) if (found := located(one.location))), None),
        target=_of_hospital(conn, target),
        going=_going(conn, incident_id),
    )
    return facts, int(seq)


def _patient(row: Any) -> Patient:
    return Patient(
        elder_no=row.elder_no,
        name=row.name,
        sex=row.sex,
        birth_date=row.birth_date,
        phones=tuple(phone for phone in (row.phone, row.mobile) if phone),
        dialect=row.dialect,
        address=row.address,
        district=row.district,
        access=row.access,
        notes=row.notes,
        medical=row.medical,
        home=point(row.lat, row.lng),
    )


def _said(conn: Connection, incident_id: str, alarms: Sequence[Any]) -> tuple[Said, ...]:
    told = [Said(one.at or one.received_at, "alarm", one.kind, one.note, one.location) for one in alarms]
    heard = conn.execute(
        select(event.c.at, event.c.kind, event.c.data)
        .where(event.c.incident_id == incident_id, event.c.kind.in_(("speech.heard", "incident.worsened")))
        .order_by(event.c.seq)
    )
    for one in heard:
        if one.kind == "speech.heard":
            told.append(Said(one.at, "heard", what_was_heard(str(one.data.get("meaning", "")))))
        else:
            told.append(Said(one.at, "worse", str(one.data.get("why") or one.data.get("meaning") or "")))
    return tuple(sorted(told, key=lambda one: one.at)[-MOST:])


def _going(conn: Connection, incident_id: str) -> tuple[dict[str, str], ...]:
    rows = conn.execute(
        select(leg.c.role, leg.c.name, leg.c.phone)
        .where(leg.c.incident_id == incident_id, leg.c.accepted_at.is_not(None), leg.c.role.in_(_GOING))
        .order_by(leg.c.accepted_at)
    )
    return tuple({"role": one.role, "name": one.name, "phone": one.phone} for one in rows)


def _of_hospital(conn: Connection, name: str) -> Point | None:
    row = conn.execute(select(hospital.c.lat, hospital.c.lng).where(hospital.c.name == name)).first()
    return point(row.lat, row.lng) if row else None
