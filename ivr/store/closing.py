"""What has to be known before incidents are closed, read inside the transaction that closes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, or_, select

from ivr.domain.cascade import Family
from ivr.domain.closing import Closing
from ivr.domain.incident import Role
from ivr.domain.storm import Triage
from ivr.store.tables import event, incident, leg, offer


def _sent() -> ColumnElement[bool]:
    wanted = and_(
        leg.c.incident_id == incident.c.id,
        leg.c.role.in_((Role.WORKER, Role.HOSPITAL)),
        leg.c.wanted_at.is_not(None),
    )
    return or_(exists().where(wanted), exists().where(offer.c.incident_id == incident.c.id))


def closing_of(conn: Connection, incident_id: str) -> Closing:
    row = conn.execute(
        select(incident.c.arrived_at, incident.c.family, incident.c.triage, _sent().label("sent")).where(
            incident.c.id == incident_id
        )
    ).one()
    return Closing(
        arrived=row.arrived_at is not None,
        sent=bool(row.sent),
        called_off=row.family == Family.CANCELLED and _by_his_word(conn, incident_id),
        said_safe=row.triage == Triage.SAFE,
    )


def _by_his_word(conn: Connection, incident_id: str) -> bool:
    """Whether it was the elder who said that it was a mistake, and not somebody else's judgement."""
    data = conn.scalar(
        select(event.c.data)
        .where(event.c.incident_id == incident_id, event.c.kind == f"incident.family_{Family.CANCELLED}")
        .order_by(event.c.seq.desc())
        .limit(1)
    )
    return data is not None and data.get("word") == "elder"


def awaited(conn: Connection, ids: Select[Any]) -> str | None:
    """One of these incidents to whose elder somebody was sent, and nobody has come."""
    found: str | None = conn.scalar(ids.where(incident.c.arrived_at.is_(None), _sent()).limit(1))
    return found
