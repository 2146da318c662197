"""The open incidents as the main page lists them: unattended and newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from agent_console.api.shapes import ElderOut, LegOut
from agent_console.eyes import Eyes
from agent_console.queries import elders, incidents, storm
from ivr.domain.incident import Role
from ivr.domain.storm import Triage
from ivr.store.tables import agent, event, incident, leg, leg_attempt

ATTENTION = ("unattended", "present", "handled", "safe")
STAFF = (Role.AGENT, Role.SUPERVISOR)
SHOWN = 200
SHOWN_IN_STORM = 60  # the most urgent: nobody reads 2,000 cards, and each change would send them all
# Read in every round of live updates; built once.
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_OPEN = select(incident).where(incident.c.state == "open").order_by(incident.c.id.desc()).limit(SHOWN)
_BY_RISK = storm.by_risk().limit(SHOWN_IN_STORM)
_TALKED = (
    select(leg_attempt.c.incident_id)
    .join(leg, leg.c.id == leg_attempt.c.leg_id)
    .where(leg_attempt.c.incident_id.in_(_IDS), leg_attempt.c.accepted_at.is_not(None), leg.c.role.in_(STAFF))
)
_LOOKED = select(event.c.incident_id).where(event.c.incident_id.in_(_IDS), event.c.kind == "incident.looked_at")
_SEATS = select(func.count().filter(agent.c.state == "ready"), func.count()).select_from(agent)
_HOW_MANY = select(func.count()).where(incident.c.state == "open")
_LAST = select(func.max(event.c.seq))


@dataclass(frozen=True, slots=True)
class Card:
    """One line of the list. `attention` is why it stands where it stands."""

    id: str
    opened_at: datetime
    attention: str
    needs_look: bool
    elder: ElderOut | None
    choices: list[ElderOut]
    kind: str
    alarms: int
    phone: str | None
    legs: list[LegOut]
    triage: str | None = None
    unknown_device: bool = False

    @property
    def name(self) -> str:
        if self.elder:
            return self.elder.name
        if self.choices:
            return " / ".join(choice.name for choice in self.choices[:3])
        return self.phone or "未知来电人"


def open_incidents(conn: Connection, eyes: Eyes) -> list[Card]:
    """All, up to a number; in a storm the most urgent ones, by risk."""
    stormy = storm.is_active(conn)
    rows = conn.execute(_BY_RISK if stormy else _OPEN).all()
    ids = [row.id for row in rows]
    if not ids:
        return []
    known = elders.short(conn, {no for row in rows for no in (row.elder_no, *(row.elder_choices or ())) if no}, eyes)
    legs = incidents.legs_of(conn, ids, eyes)
    served = _served(conn, ids)
    alarms: dict[str, list[Any]] = {one: [] for one in ids}
    for row in conn.execute(incidents.ALARMS, {"ids": ids}):
        alarms[row.incident_id].append(row)
    cards = [
        Card(
            id=row.id,
            opened_at=row.opened_at,
            attention=attention(
                legs[row.id], needs_look=row.needs_look, served=row.id in served, safe=row.triage == Triage.SAFE
            ),
            needs_look=row.needs_look,
            elder=known.get(row.elder_no) if row.elder_no else None,
            choices=elders.chosen(known, row.elder_choices, row.elder_no),
            kind=alarms[row.id][-1].kind if alarms[row.id] else "",
            alarms=len(alarms[row.id]),
            phone=eyes.opt_number(next((one.phone for one in alarms[row.id] if one.phone), None)),
            legs=legs[row.id],
            triage=row.triage,
            unknown_device=row.unknown_device,
        )
        for row in rows
    ]
    return cards if stormy else sorted(cards, key=lambda card: ATTENTION.index(card.attention))


def attention(legs: list[LegOut], *, needs_look: bool, served: bool, safe: bool = False) -> str:
    """Who was helped once and is alone in the room again is unattended again."""
    there = [one for one in legs if one.accepted_at is not None and one.ended_at is None]
    if any(one.role in STAFF for one in there):
        return "present"
    if safe and not needs_look and not there:
        return "safe"
    return "unattended" if needs_look or there or not served else "handled"


def _served(conn: Connection, ids: list[str]) -> set[str]:
    """Those that somebody of the staff was in, or has looked at."""
    return {*conn.scalars(_TALKED, {"ids": ids}), *conn.scalars(_LOOKED, {"ids": ids})}


def how_many_open(conn: Connection) -> int:
    return conn.scalar(_HOW_MANY) or 0


def not_shown_safe(conn: Connection) -> int:
    """In a storm the cards are not all: those that are not safe count as waiting. 0 otherwise."""
    now = storm.state(conn)
    return now.open - now.safe if now.active else 0


def ready_seats(conn: Connection) -> tuple[int, int]:
    """(ready, all)."""
    row = conn.execute(_SEATS).one()
    return int(row[0]), int(row[1])


def last_seq(conn: Connection) -> int:
    return conn.scalar(_LAST) or 0
