"""Elders as pages and API show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, bindparam, select

from agent_console.api.shapes import ContactOut, ElderFile, ElderOut
from agent_console.eyes import Eyes
from ivr.store.tables import contact, elder

MOST = 400  # names in one IN (…)
# Read in every round of live updates; built once.
_SHORT = select(elder).where(elder.c.elder_no.in_(bindparam("nos", expanding=True)))
_FILE = select(elder).where(elder.c.elder_no == bindparam("no"))
_CONTACTS = select(contact).where(contact.c.elder_no == bindparam("no")).order_by(contact.c.priority, contact.c.id)


def age_on(born: date | None, today: date) -> int | None:
    if born is None or born > today:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def short(conn: Connection, elder_nos: Iterable[str], eyes: Eyes) -> dict[str, ElderOut]:
    wanted = sorted(set(elder_nos))
    found: dict[str, ElderOut] = {}
    for start in range(0, len(wanted), MOST):
        for row in conn.execute(_SHORT, {"nos": wanted[start : start + MOST]}):
            found[row.elder_no] = ElderOut(**_head(row, eyes))
    return found


def full(conn: Connection, elder_no: str, eyes: Eyes) -> ElderFile | None:
    row = conn.execute(_FILE, {"no": elder_no}).first()
    if row is None:
        return None
    contacts = conn.execute(_CONTACTS, {"no": elder_no})
    return ElderFile(
        **_head(row, eyes),
        birth_date=row.birth_date,
        medical=row.medical,
        notes=row.notes,
        dialect=row.dialect,
        helper_no=row.helper_no,
        access=row.access,
        lat=row.lat,
        lng=row.lng,
        contacts=[
            ContactOut(
                name=person.name,
                relation=person.relation,
                phone=eyes.number(person.phone),
                priority=person.priority,
                available_from=person.available_from,
                available_to=person.available_to,
            )
            for person in contacts
        ],
    )


def chosen(known: Mapping[str, ElderOut], choices: Sequence[str] | None, elder_no: str | None) -> list[ElderOut]:
    """The candidates, where several share a number; nothing to choose once one is named."""
    if elder_no is not None or not choices:
        return []
    return [known[no] for no in choices if no in known]


def _head(row: Any, eyes: Eyes) -> dict[str, Any]:
    return {
        "elder_no": row.elder_no,
        "name": row.name,
        "sex": row.sex,
        "age": age_on(row.birth_date, date.today()),  # noqa: DTZ011  # a birthday is local
        "phone": eyes.opt_number(row.phone),
        "mobile": eyes.opt_number(row.mobile),
        "address": row.address,
        "district": row.district,
    }
