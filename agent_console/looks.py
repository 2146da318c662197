"""Every look of a person at an elder's file is journalled, but the journal never keeps the file from the screen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from agent_console.ports import Journal
from agent_console.who import Principal
from ivr.services.ports import StoreUnavailable

log = logging.getLogger(__name__)

# In an emergency the file is shown even when the database does not take the note in this time.
PATIENCE_S = 0.3


class Looks:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._tasks: set[asyncio.Task[None]] = set()

    async def note(self, who: Principal, *, elder_no: str | None, incident_id: str | None = None) -> None:
        if not who.is_person or (elder_no is None and incident_id is None):
            return
        await self._note("file.viewed", who.name, incident_id, elder_no=elder_no)

    async def searched(self, who: Principal, elder_nos: Sequence[str], *, incident_id: str | None) -> None:
        """Whose names and addresses were shown, also to a token: a search goes through everybody's."""
        await self._note("file.searched", who.name, incident_id, elder_nos=list(elder_nos))

    async def _note(self, kind: str, by: str, incident_id: str | None, **more: object) -> None:
        task = asyncio.create_task(self._write(kind, by, incident_id, **more), name=kind)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=PATIENCE_S)

    async def _write(self, kind: str, by: str, incident_id: str | None, **more: object) -> None:
        try:
            await self._journal.note(kind, incident_id=incident_id, by=by, **more)
        except StoreUnavailable:
            log.warning("%s not journalled: by=%s incident=%s", kind, by, incident_id)

    async def finish(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
