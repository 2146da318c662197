"""Elders by name, for what is said about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, bindparam, exists, select

from ivr.domain.meanings import DISTRESS
from ivr.domain.people import Person
from ivr.store.db import Store
from ivr.store.tables import contact, device, elder, event, incident

HEARD_AT_MOST = 3


def _first(column: ColumnElement[str]) -> ScalarSelect[str]:
    of_his = select(column).where(contact.c.elder_no == elder.c.elder_no)
    return of_his.order_by(contact.c.priority, contact.c.id).limit(1).scalar_subquery()


_WHO = (
    elder.c.elder_no,
    elder.c.name,
    elder.c.address,
    elder.c.medical,
    elder.c.access,
    _first(contact.c.relation).label("relation"),
    _first(contact.c.phone).label("relative_phone"),
    exists().where(device.c.elder_no == elder.c.elder_no).label("has_device"),
    exists().where(contact.c.elder_no == elder.c.elder_no).label("has_family"),
)
_OF_INCIDENT = (
    select(*_WHO).join(incident, incident.c.elder_no == elder.c.elder_no).where(incident.c.id == bindparam("incident"))
)
_HEARD = (
    select(event.c.data)
    .where(event.c.incident_id == bindparam("incident"), event.c.kind == "speech.heard")
    .order_by(event.c.seq.desc())
)
_AFTER = (
    select(*_WHO).where(elder.c.elder_no > bindparam("elder_no")).order_by(elder.c.elder_no).limit(bindparam("limit"))
)


class SqlNamed:
    """Implements the `Named` port."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_incident(self, incident_id: str) -> Person | None:
        def query(conn: Connection) -> Person | None:
            row = conn.execute(_OF_INCIDENT, {"incident": incident_id}).first()
            if row is None:
                return None
            meanings = [str(data.get("meaning")) for data in conn.scalars(_HEARD, {"incident": incident_id})]
            distress = dict.fromkeys(one for one in meanings if one in DISTRESS)
            return replace(_person(row), heard=tuple(distress)[:HEARD_AT_MOST])

        return await self._store.look(query)

    async def after(self, elder_no: str, limit: int) -> Sequence[Person]:
        asked = {"elder_no": elder_no, "limit": limit}
        return [_person(row) for row in await self._store.look(lambda conn: conn.execute(_AFTER, asked).all())]


def _person(row: Row[Any]) -> Person:
    return Person(
        row.elder_no,
        row.name,
        row.address,
        bool(row.has_device),
        bool(row.has_family),
        row.medical,
        access=row.access,
        relative=(row.relation or "家属", row.relative_phone) if row.relative_phone else None,
    )
