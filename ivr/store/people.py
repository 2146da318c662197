"""Elders, their contacts and devices: looked up by number, device or elder_no."""

from __future__ import annotations

from sqlalchemy import BindParameter, Connection, bindparam, or_, select

from ivr.domain.people import Match
from ivr.store.prepared import Prepared
from ivr.store.tables import contact, device, elder

_NUMBER: BindParameter[str] = bindparam("number")
_DEVICES = Prepared(select(device.c.device_id, device.c.elder_no).where(device.c.caller_id == _NUMBER))
_ELDERS = Prepared(
    select(elder.c.elder_no)
    .where(or_(elder.c.phone == _NUMBER, elder.c.mobile == _NUMBER))
    .order_by(elder.c.elder_no)
    .limit(20)
)
_RELATED = Prepared(select(contact.c.elder_no).where(contact.c.phone == _NUMBER).order_by(contact.c.elder_no).limit(20))


def match_number(conn: Connection, number: str) -> Match:
    """Whose number is this: a device's first (its call is an emergency), then an elder's, then a contact's.

    A contact's number only ever yields choices: the daughter who calls is not the person at risk.
    """
    if not number:
        return Match()
    rows = _DEVICES.all(conn, number=number)
    if rows:
        owners = tuple(dict.fromkeys(row.elder_no for row in rows))
        return Match(owners[0] if len(owners) == 1 else None, owners, rows[0].device_id)
    owners = tuple(row.elder_no for row in _ELDERS.all(conn, number=number))
    if owners:
        return Match(owners[0] if len(owners) == 1 else None, owners)
    return Match(None, tuple(dict.fromkeys(row.elder_no for row in _RELATED.all(conn, number=number))))


def device_owner(conn: Connection, device_id: str) -> str | None:
    """The elder a device is bound to, or None for a device nobody registered."""
    found: str | None = conn.scalar(select(device.c.elder_no).where(device.c.device_id == device_id))
    return found


def elder_exists(conn: Connection, elder_no: str) -> bool:
    return conn.scalar(select(elder.c.elder_no).where(elder.c.elder_no == elder_no)) is not None
