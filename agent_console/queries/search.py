"""Finding an elder while he is on the line: by number, name, its sound, telephone or address."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from agent_console import pinyin
from agent_console.api.shapes import ElderOut
from agent_console.eyes import MASKED
from agent_console.queries import elders
from ivr.domain import numbers
from ivr.store.tables import contact, device, elder, incident

SHOWN = 20
LOOKED_AT = 200
"""Rows of one kind of fit: who finds more than these has to say more."""
FEWEST_DIGITS = 4
_NAMES = select(elder.c.elder_no, elder.c.name)


def find(conn: Connection, wanted: str) -> tuple[list[ElderOut], int]:
    """The best fits and how many more there are, as far as they were looked at. Numbers are masked for everybody: who
    chooses needs name, age and address; the file opens with the choice."""
    text = unicodedata.normalize("NFKC", wanted).strip()
    found = dict.fromkeys(no for nos in _fits(conn, text) for no in nos)
    shown = list(found)[:SHOWN]
    known = elders.short(conn, shown, MASKED)
    return [known[no] for no in shown if no in known], len(found) - len(shown)


def is_incident(conn: Connection, incident_id: str) -> bool:
    return conn.scalar(select(incident.c.id).where(incident.c.id == incident_id)) is not None


def _fits(conn: Connection, text: str) -> Iterable[list[str]]:
    """Best kind first."""
    yield _where(conn, func.lower(elder.c.elder_no) == text.lower())
    digits = numbers.normalise(text)
    if len(digits) >= FEWEST_DIGITS and not any(one.isalpha() for one in text):
        yield _where(conn, or_(elder.c.phone == digits, elder.c.mobile == digits))
        yield _where(conn, or_(elder.c.phone.contains(digits), elder.c.mobile.contains(digits)))
        yield _where(conn, elder.c.elder_no.in_(select(device.c.elder_no).where(device.c.caller_id.contains(digits))))
        yield _where(conn, elder.c.elder_no.in_(select(contact.c.elder_no).where(contact.c.phone.contains(digits))))
    yield _where(conn, elder.c.name == text)
    yield _where(conn, elder.c.name.startswith(text, autoescape=True))
    yield _where(conn, elder.c.name.contains(text, autoescape=True))
    letters = pinyin.typed(text)
    if letters:
        yield _by_sound(conn, letters)
    yield _where(conn, elder.c.elder_no.istartswith(text, autoescape=True))
    words = [elder.c.address.contains(word, autoescape=True) for word in text.split()]
    yield _where(conn, and_(*words))


def _where(conn: Connection, fits: ColumnElement[bool]) -> list[str]:
    return list(conn.scalars(select(elder.c.elder_no).where(fits).order_by(elder.c.elder_no).limit(LOOKED_AT)))


def _by_sound(conn: Connection, letters: str) -> list[str]:
    fits = [(pinyin.fit(row.name, letters), row.elder_no) for row in conn.execute(_NAMES)]
    return [no for how, no in sorted(fits, key=lambda one: (-one[0], one[1])) if how][:LOOKED_AT]
