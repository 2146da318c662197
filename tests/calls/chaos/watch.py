"""The journal as it grows, each event with the moment at which it was there: its own times are a clock's that a test
may have stepped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EVERY_S = 0.1


@dataclass(frozen=True)
class Noted:
    at: float
    """`time.monotonic()` of the look that found it: at most `EVERY_S` (on a busy machine a little more) after it."""
    kind: str
    incident_id: str | None
    leg_id: str | None
    data: dict[str, Any]


class JournalWatch:
    """Read from the database file itself: who tells of it may be dead just then."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self.events: list[Noted] = []
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> JournalWatch:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def of(self, incident_id: str) -> list[Noted]:
        return [event for event in self.events if event.incident_id == incident_id]

    async def _watch(self) -> None:
        last = 0
        while True:
            rows = await asyncio.to_thread(self._read, last)
            now = time.monotonic()
            for seq, kind, incident_id, leg_id, data in rows:
                last = seq
                self.events.append(Noted(now, kind, incident_id, leg_id, json.loads(data or "{}")))
            await asyncio.sleep(EVERY_S)

    def _read(self, after: int) -> list[Any]:
        query = "SELECT seq, kind, incident_id, leg_id, data FROM event WHERE seq > ? ORDER BY seq"
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True, timeout=1)) as db:
                return db.execute(query, (after,)).fetchall()
        except sqlite3.OperationalError:  # locked just now, or the disk is full: at the next look
            return []
