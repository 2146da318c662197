"""Elders by name, for what is said about them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Row, bindparam, exists, select

from ivr.domain.people import Person
from ivr.store.db import Store
from ivr.store.tables import contact, device, elder, incident

_WHO = (
    elder.c.elder_no,
    elder.c.name,
    elder.c.address,
    elder.c.medical,
    exists().where(device.c.elder_no == elder.c.elder_no).label("has_device"),
    exists().where(contact.c.elder_no == elder.c.elder_no).label("has_family"),
)
_OF_INCIDENT = (
    select(*_WHO).join(incident, incident.c.elder_no == elder.c.elder_no).where(incident.c.id == bindparam("incident"))
)
_AFTER = (
    select(*_WHO).where(elder.c.elder_no > bindparam("elder_no")).order_by(elder.c.elder_no).limit(bindparam("limit"))
)


class SqlNamed:
    """Implements the `Named` port."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_incident(self, incident_id: str) -> Person | None:
        row = await self._store.look(lambda conn: conn.execute(_OF_INCIDENT, {"incident": incident_id}).first())
        return _person(row) if row else None

    async def after(self, elder_no: str, limit: int) -> Sequence[Person]:
        asked = {"elder_no": elder_no, "limit": limit}
        return [_person(row) for row in await self._store.look(lambda conn: conn.execute(_AFTER, asked).all())]


def _person(row: Row[tuple[str, str, str | None, str | None, bool, bool]]) -> Person:
    return Person(row.elder_no, row.name, row.address, bool(row.has_device), bool(row.has_family), row.medical)
