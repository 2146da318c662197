"""What an incident's columns say of its place in the order, and how alarms and answers change them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select, update

from ivr.domain import storm
from ivr.domain.storm import Triage
from ivr.store.tables import alarm, incident
from ivr.store.tx import Tx


def alarm_came(
    tx: Tx, incident_id: str, kind: str, *, location: dict[str, Any] | None, telephoned: bool, quiet: bool
) -> None:
    """Once per alarm, in its transaction. A new cry of one who was safe is a new cry."""
    row = tx.conn.execute(
        select(incident.c.triage, incident.c.worst, incident.c.state).where(incident.c.id == incident_id)
    ).one()
    values: dict[str, Any] = {}
    if location is not None:
        values["place"] = location
    if row.state == "open":
        triage = Triage(row.triage) if row.triage else None
        if not quiet and triage is Triage.SAFE:
            triage = None
            values |= {"triage_tries": 0}
        if telephoned and triage is not Triage.HELP:
            triage = None  # he speaks for himself
        values["triage"] = triage
        values["worst"] = max(row.worst, storm.severity(kind))
        values["risk"] = storm.risk(triage, values["worst"], telephoned=telephoned or _telephoned(tx, incident_id))
    if values:
        tx.conn.execute(update(incident).where(incident.c.id == incident_id).values(**values))


def mark(tx: Tx, incident_id: str, triage: Triage, **more: Any) -> None:
    """With the place in the order that follows."""
    worst = tx.conn.scalar(select(incident.c.worst).where(incident.c.id == incident_id)) or 0
    place = storm.risk(triage, worst, telephoned=_telephoned(tx, incident_id))
    tx.conn.execute(update(incident).where(incident.c.id == incident_id).values(triage=triage, risk=place, **more))


def _telephoned(tx: Tx, incident_id: str) -> bool:
    """Whether the elder has called by himself in this incident."""
    calls = select(func.count()).where(alarm.c.incident_id == incident_id, alarm.c.kind == "emergency_call")
    return bool(tx.conn.scalar(calls))
