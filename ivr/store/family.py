"""The relatives of an incident as legs: added for every elder it may be, withdrawn when it is another one's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from ulid import ULID

from ivr.domain.incident import NOT_HIS, LegState, Role
from ivr.store.tables import contact, leg
from ivr.store.tx import Tx


def add(tx: Tx, incident_id: str, elder_nos: Sequence[str]) -> None:
    """The contacts of every elder it may be, each phone once: a wrong family called is better than none. Who was
    withdrawn and is a contact of one of these after all counts again."""
    if not elder_nos:
        return
    known = {row.phone: row for row in tx.conn.execute(_of(incident_id))}
    fresh: dict[str, dict[str, Any]] = {}
    for row in _contacts(tx, elder_nos):
        if (there := known.get(row.phone)) is not None:
            if there.priority >= NOT_HIS:
                tx.conn.execute(update(leg).where(leg.c.id == there.id).values(priority=row.priority, name=row.name))
        elif row.phone not in fresh:
            fresh[row.phone] = {
                "id": str(ULID()),
                "incident_id": incident_id,
                "role": Role.FAMILY,
                "name": row.name,
                "phone": row.phone,
                "priority": row.priority,
                "state": LegState.WAITING,
                "attempts": 0,
            }
    if fresh:
        tx.conn.execute(insert(leg), list(fresh.values()))


def withdraw_others(tx: Tx, incident_id: str, elder_no: str) -> None:
    """A person has said who it is: the relatives of the others are not called any more. One who was never dialled is no
    leg at all; of one who was, what happened stays on record."""
    his = {row.phone for row in _contacts(tx, [elder_no])}
    others = [row for row in tx.conn.execute(_of(incident_id)) if row.phone not in his]
    never = [row.id for row in others if not row.attempts and row.wanted_at is None]
    tx.conn.execute(delete(leg).where(leg.c.id.in_(never)))
    dialled = [row.id for row in others if row.id not in never]
    tx.conn.execute(update(leg).where(leg.c.id.in_(dialled)).values(priority=NOT_HIS))


def _of(incident_id: str) -> Any:
    return select(leg).where(leg.c.incident_id == incident_id, leg.c.role == Role.FAMILY)


def _contacts(tx: Tx, elder_nos: Sequence[str]) -> Sequence[Any]:
    return tx.conn.execute(
        select(contact.c.name, contact.c.phone, contact.c.priority)
        .where(contact.c.elder_no.in_(list(elder_nos)))
        .order_by(contact.c.priority, contact.c.id)
    ).all()
