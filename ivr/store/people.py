"""Elders, their contacts and devices: looked up by number, device or elder_no."""

from __future__ import annotations

from sqlalchemy import Connection, or_, select

from ivr.domain.people import Match
from ivr.store.db import Store
from ivr.store.tables import contact, device, elder


def match_number(conn: Connection, number: str) -> Match:
    """Whose number is this: a device's first (its call is an emergency), then an elder's, then a contact's.

    A contact's number only ever yields choices: the daughter who calls is not the person at risk.
    """
    if not number:
        return Match()
    rows = (conn.execute(select(device.c.device_id, device.c.elder_no).where(device.c.caller_id == number))).all()
    if rows:
        owners = tuple(dict.fromkeys(row.elder_no for row in rows))
        return Match(owners[0] if len(owners) == 1 else None, owners, rows[0].device_id)
    found = conn.scalars(
        select(elder.c.elder_no)
        .where(or_(elder.c.phone == number, elder.c.mobile == number))
        .order_by(elder.c.elder_no)
        .limit(20)
    )
    owners = tuple(found)
    if owners:
        return Match(owners[0] if len(owners) == 1 else None, owners)
    related = conn.scalars(
        select(contact.c.elder_no).where(contact.c.phone == number).order_by(contact.c.elder_no).limit(20)
    )
    return Match(None, tuple(dict.fromkeys(related)))


def device_owner(conn: Connection, device_id: str) -> str | None:
    """The elder a device is bound to, or None for a device nobody registered."""
    found: str | None = conn.scalar(select(device.c.elder_no).where(device.c.device_id == device_id))
    return found


def elder_exists(conn: Connection, elder_no: str) -> bool:
    return conn.scalar(select(elder.c.elder_no).where(elder.c.elder_no == elder_no)) is not None


class SqlPeople:
    """Implements the `People` port on the hot path."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def match(self, number: str) -> Match:
        return await self._store.look(lambda conn: match_number(conn, number))
