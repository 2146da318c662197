"""Which open incident an alarm belongs to: by elder, by number, by device, within the window; and what it adds to it.

A device's message, a telephone call and a location of one elder come by different paths, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update

from ivr.domain.incident import NewAlarm
from ivr.domain.people import Match
from ivr.store.tables import alarm, incident
from ivr.store.tx import Tx

SIGNED = "sig:"
"""Keys that were made of a signature, because the sender gave none."""


@dataclass(frozen=True, slots=True)
class Seen:
    incident_id: str
    new_after_all: bool


def seen_before(tx: Tx, key: str, window: timedelta) -> Seen | None:
    """The alarm that had this key. The same signature again is the same message, whenever it comes: a clock that goes
    right never says the same twice. One that stands still does, and its next alarm must not be lost: when the first was
    sent by a wrong clock, is older than the window and closed, this is a new alarm."""
    row = tx.conn.execute(
        select(alarm.c.incident_id, alarm.c.clock_off_s, alarm.c.received_at, incident.c.state)
        .join(incident, incident.c.id == alarm.c.incident_id)
        .where(alarm.c.idempotency_key == key)
    ).first()
    if row is None:
        return None
    stopped = key.startswith(SIGNED) and row.clock_off_s is not None
    later = tx.now - row.received_at > window and row.state == "closed"
    return Seen(row.incident_id, stopped and later)


def just_said(tx: Tx, fingerprint: str, window: timedelta) -> str | None:
    """The open incident of the same words, said less than a window ago: a retry that has no key."""
    found: str | None = tx.conn.scalar(
        select(alarm.c.incident_id)
        .join(incident, incident.c.id == alarm.c.incident_id)
        .where(alarm.c.received_at >= tx.now - window, alarm.c.fingerprint == fingerprint, incident.c.state == "open")
        .limit(1)
    )
    return found


@dataclass(frozen=True, slots=True)
class Found:
    open_id: str | None = None
    is_closed: bool = False  # a late location of one that was closed just now: kept with it, nothing opens
    refers_to: str | None = None


def find(tx: Tx, match: Match, new: NewAlarm, window: timedelta, *, quiet: bool) -> Found:
    open_id = _of_elder(tx, match, new) or _within(tx, match, new, window, "open")
    if open_id is not None:
        return Found(open_id)
    closed = _within(tx, match, new, window, "closed")
    if closed is not None and quiet:
        return Found(closed, is_closed=True)
    return Found(refers_to=closed)


def _of_elder(tx: Tx, match: Match, new: NewAlarm) -> str | None:
    """However old: the elder's open incident; where no elder is known, that of the same number or device."""
    query = select(incident.c.id).where(incident.c.state == "open")
    if match.elder_no is not None:
        query = query.where(incident.c.elder_no == match.elder_no)
    else:
        named = _named(new)
        if not named:
            return None
        query = query.join(alarm, alarm.c.incident_id == incident.c.id)
        query = query.where(incident.c.elder_no.is_(None), or_(*named))
    found: str | None = tx.conn.scalar(query.order_by(incident.c.id).limit(1))
    return found


def _within(tx: Tx, match: Match, new: NewAlarm, window: timedelta, state: str) -> str | None:
    """What the last `window` says of the same people: the same number or device was named, or one of those who share
    this number has an incident, or shares the number of one that knows no elder yet. The newest, of two."""
    since = tx.now - window
    query = select(incident.c.id, incident.c.elder_no, incident.c.elder_choices).where(incident.c.state == state)
    if state == "open":
        recent = select(alarm.c.incident_id).where(alarm.c.received_at >= since)
        query = query.where(incident.c.id.in_(recent))
    else:
        query = query.where(incident.c.closed_at >= since)
    named = _named(new)
    candidates: list[ColumnElement[bool]] = []
    if match.choices:
        candidates += [incident.c.elder_no.in_(match.choices), incident.c.elder_no.is_(None)]
    if named:
        candidates.append(incident.c.id.in_(select(alarm.c.incident_id).where(or_(*named))))
    if not candidates:
        return None
    rows = tx.conn.execute(query.where(or_(*candidates)).order_by(incident.c.id.desc())).all()
    by_name = _incidents_naming(tx, [row.id for row in rows], named)
    for row in rows:
        if match.elder_no is not None and row.elder_no not in (None, match.elder_no):
            continue  # somebody else's, though he may have used this telephone
        if row.id in by_name or _same_people(match, row):
            return str(row.id)
    return None


def _same_people(match: Match, row: Any) -> bool:
    if row.elder_no is not None:
        return row.elder_no in match.choices
    return bool(set(match.choices) & set(row.elder_choices or ()))


def _named(new: NewAlarm) -> list[ColumnElement[bool]]:
    named: list[ColumnElement[bool]] = []
    if new.phone:
        named.append(alarm.c.phone == new.phone)
    if new.device_id:
        named.append(alarm.c.device_id == new.device_id)
    return named


def _incidents_naming(tx: Tx, ids: Sequence[str], named: list[ColumnElement[bool]]) -> set[str]:
    if not ids or not named:
        return set()
    return set(tx.conn.scalars(select(alarm.c.incident_id).where(alarm.c.incident_id.in_(ids), or_(*named))))


def complete(tx: Tx, incident_id: str, match: Match, *, unknown_device: bool, loud: bool) -> None:
    """What a joining alarm knows better: who it is, and that it is in earnest."""
    row = tx.conn.execute(
        select(
            incident.c.elder_no, incident.c.elder_choices, incident.c.unknown_device, incident.c.dial_after
        ).where(incident.c.id == incident_id)
    ).one()  # fmt: skip
    values: dict[str, Any] = {}
    if row.elder_no is None and match.elder_no is not None:
        values["elder_no"] = match.elder_no
        tx.event("incident.identified", incident_id=incident_id, elder_no=match.elder_no)
    choices = list(dict.fromkeys([*(row.elder_choices or ()), *match.choices]))
    if choices != list(row.elder_choices or ()):
        values["elder_choices"] = choices
    if unknown_device and not row.unknown_device:
        values["unknown_device"] = True
    if loud and row.dial_after is not None:
        values["dial_after"] = None
    if values:
        tx.conn.execute(update(incident).where(incident.c.id == incident_id).values(**values))
