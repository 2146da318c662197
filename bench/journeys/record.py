"""What the database says of an incident, read apart from the system, on the harness's clock."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path


def monotonic(at: str) -> float:
    """Of a time as SQLite keeps it."""
    return datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp() - (time.time() - time.monotonic())


def moments(database: Path, incident: str, kind: str, having: str = "1") -> list[float]:
    """When this incident's events of a kind happened, in their order; `having` is SQL about `data`."""
    query = f"SELECT at FROM event WHERE incident_id = ? AND kind = ? AND {having} ORDER BY seq"
    with contextlib.closing(sqlite3.connect(database, timeout=10)) as db:
        return [monotonic(at) for (at,) in db.execute(query, (incident, kind))]
