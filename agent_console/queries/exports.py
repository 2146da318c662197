"""Everything that is on record about one incident, in one consistent read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from agent_console.api.shapes import IncidentOut
from agent_console.eyes import Eyes
from agent_console.queries import incidents
from ivr.domain.chain import Chain, Row
from ivr.store.audit import read_chain
from ivr.store.tables import recording

EVERY = 1_000_000


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording. `leg_id` None: the room as a whole."""

    file: str
    leg_id: str | None
    began_at: datetime
    seconds: float
    sha256: str
    removed: bool


@dataclass(frozen=True, slots=True)
class OnRecord:
    incident: IncidentOut
    chain: Chain
    rows: list[Row]
    clips: list[Clip]


def collect(conn: Connection, incident_id: str, eyes: Eyes) -> OnRecord | None:
    incident = incidents.one(conn, incident_id, eyes, events=EVERY)
    chain, rows = read_chain(conn, incident_id)
    if incident is None or chain is None:
        return None
    query = select(recording).where(recording.c.incident_id == incident_id, recording.c.ended_at.is_not(None))
    clips = [
        Clip(row.file, row.leg_id, row.started_at, row.seconds, row.sha256, row.removed_at is not None)
        for row in conn.execute(query.order_by(recording.c.started_at, recording.c.file))
    ]
    return OnRecord(incident, chain, rows, clips)
