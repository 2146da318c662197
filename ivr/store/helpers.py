"""Workers and hospitals as an incident needs them: read here, put in order by `domain/ranking.py`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, exists, select

from ivr.domain.geography import Point, point
from ivr.domain.incident import Outcome, Role
from ivr.domain.ranking import Hospital, Need, Ranked, Tried, Worker, rank_hospitals, rank_workers, words_of
from ivr.store.tables import alarm, elder, event, hospital, incident, leg, leg_attempt, worker

_HEARD = ("speech.heard",)


def need_of(conn: Connection, incident_id: str, skill: str | None = None) -> Need | None:
    """What this incident asks for; None when there is no such incident. Nobody knows where an unknown caller lives,
    unless his alarm brought a location."""
    row = conn.execute(
        select(incident.c.id, elder.c.helper_no, elder.c.district, elder.c.lat, elder.c.lng)
        .outerjoin(elder, elder.c.elder_no == incident.c.elder_no)
        .where(incident.c.id == incident_id)
    ).first()
    if row is None:
        return None
    alarms = conn.execute(
        select(alarm.c.kind, alarm.c.location).where(alarm.c.incident_id == incident_id).order_by(alarm.c.id)
    ).all()
    told = conn.scalars(select(event.c.data).where(event.c.incident_id == incident_id, event.c.kind.in_(_HEARD)))
    heard = [str(data.get("meaning")) for data in told if data.get("meaning")]
    # Where he is now (a watch's position) before where he lives.
    reported = next((found for one in reversed(alarms) if (found := located(one.location))), None)
    return Need(
        helper_no=row.helper_no,
        district=row.district,
        where=reported or point(row.lat, row.lng),
        skill=skill,
        heard=tuple(dict.fromkeys([*heard, *(one.kind for one in alarms)])),
    )


def located(location: dict[str, Any] | None) -> Point | None:
    """The coordinates in an alarm's location, however they were written; it comes from outside."""
    if not location:
        return None
    try:
        return point(float(location["lat"]), float(location["lng"]))
    except (KeyError, TypeError, ValueError):
        return None


def workers(conn: Connection, incident_id: str) -> list[Worker]:
    tried = _tried(conn, incident_id, Role.WORKER)
    busy = set(
        conn.scalars(
            select(leg.c.phone)
            .join(incident, incident.c.id == leg.c.incident_id)
            .where(
                leg.c.role == Role.WORKER,
                incident.c.state == "open",
                incident.c.arrived_at.is_(None),
                incident.c.id != incident_id,
                exists().where(
                    leg_attempt.c.leg_id == leg.c.id,
                    leg_attempt.c.accepted_at.is_not(None),
                ),
            )
        )
    )
    return [
        Worker(
            worker_no=row.worker_no,
            name=row.name,
            phone=row.phone,
            skills=words_of(row.skills),
            district=row.district,
            where=point(row.lat, row.lng),
            busy=row.phone in busy,
            tried=tried.get(row.phone),
        )
        for row in conn.execute(select(worker))
    ]


def hospitals(conn: Connection, incident_id: str) -> list[Hospital]:
    tried = _tried(conn, incident_id, Role.HOSPITAL)
    return [
        Hospital(
            name=row.name,
            phone=row.phone,
            districts=words_of(row.district),  # one contracted hospital may serve several
            where=point(row.lat, row.lng),
            capabilities=words_of(row.capabilities),
            pushes=bool(row.endpoint and row.push_secret),
            tried=tried.get(row.phone),
        )
        for row in conn.execute(select(hospital))
    ]


def ranking(conn: Connection, incident_id: str, skill: str | None = None) -> tuple[list[Ranked], list[Ranked]]:
    """(workers, hospitals), best first; two empty lists for an incident that is not there."""
    need = need_of(conn, incident_id, skill)
    if need is None:
        return [], []
    return rank_workers(need, workers(conn, incident_id)), rank_hospitals(need, hospitals(conn, incident_id))


def _tried(conn: Connection, incident_id: str, role: Role) -> dict[str, Tried]:
    legs = conn.execute(
        select(leg.c.phone, leg.c.state, leg.c.outcome, leg.c.accepted_at).where(
            leg.c.incident_id == incident_id, leg.c.role == role
        )
    ).all()
    return {
        row.phone: Tried(
            live=row.state != "ended",
            accepted=row.accepted_at is not None,
            outcome=Outcome(row.outcome) if row.outcome else None,
        )
        for row in legs
    }
