"""Which open incident an alarm belongs to: by elder, by number, by device, within the window; and what it adds to it.

A device's message, a telephone call and a location of one elder come by different paths, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, update

from ivr.domain.cascade import Family
from ivr.domain.incident import NewAlarm
from ivr.domain.people import Match
from ivr.domain.storm import Triage
from ivr.store.tables import alarm, incident
from ivr.store.tx import Tx

MOST = 50
_COLUMNS = select(incident.c.id, incident.c.state, incident.c.elder_no, incident.c.elder_choices, incident.c.closed_at)
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
    """The open incident of the same words, said less than a window ago: a retry that has no key.

    Not once a person has called it a mistake, or he himself has said that he is safe: a device that has neither key nor
    clock says the same when he presses anew, and whoever presses then means it. A late retry counts as one, too.
    """
    found: str | None = tx.conn.scalar(
        select(alarm.c.incident_id)
        .join(incident, incident.c.id == alarm.c.incident_id)
        .where(
            alarm.c.received_at >= tx.now - window,
            alarm.c.fingerprint == fingerprint,
            incident.c.state == "open",
            func.coalesce(incident.c.family, "") != Family.CANCELLED,
            func.coalesce(incident.c.triage, "") != Triage.SAFE,
        )
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
    this number has an incident, or shares the number of one that knows no elder yet. The newest, of two.

    Each lookup has an index of its own: an alarm must not cost more the more there are.
    """
    since = tx.now - window
    found: dict[str, Any] = {}
    named = _named(new)
    if named:
        query = _COLUMNS.join(alarm, alarm.c.incident_id == incident.c.id).where(or_(*named))
        found |= {row.id: row for row in tx.conn.execute(query.order_by(alarm.c.id.desc()).limit(MOST))}
    said = set(found)
    if match.choices:
        of_them = _COLUMNS.where(incident.c.elder_no.in_(match.choices)).order_by(incident.c.id.desc()).limit(MOST)
        found |= {row.id: row for row in tx.conn.execute(of_them)}
        of_nobody = _COLUMNS.join(alarm, alarm.c.incident_id == incident.c.id).where(
            alarm.c.received_at >= since, alarm.c.elder_no.is_(None)
        )
        found |= {row.id: row for row in tx.conn.execute(of_nobody)}
    right = [row for row in found.values() if row.state == state]
    if state == "closed":
        right = [row for row in right if row.closed_at >= since]
    for row in sorted(right, key=lambda row: str(row.id), reverse=True):
        if match.elder_no is not None and row.elder_no not in (None, match.elder_no):
            continue  # somebody else's, though he may have used this telephone
        if (row.id in said or _same_people(match, row)) and (state == "closed" or _is_recent(tx, row.id, since)):
            return str(row.id)
    return None


def _is_recent(tx: Tx, incident_id: str, since: datetime) -> bool:
    newest = select(func.max(alarm.c.received_at)).where(alarm.c.incident_id == incident_id)
    at = tx.conn.scalar(newest)
    return at is not None and at >= since


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
