"""`ivr audit export`: the same archive as the console's, from a shell on the machine."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent_console.export.archive import write
from agent_console.eyes import FULL
from agent_console.main import StoreReader
from agent_console.queries.exports import collect
from ivr.record.shelf import Shelf
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.journal import Journal


class NoIncident(Exception):
    """There is no such incident."""


async def export_to(settings: Settings, incident_id: str, target: Path, *, by: str) -> None:
    """On record first, then written; a file that is there is not written over. Raises NoIncident, OSError."""
    async with Store(settings.effective_database_url) as store:
        reader = StoreReader(store)
        if await reader.read(collect, incident_id, FULL) is None:
            raise NoIncident(incident_id)
        with target.open("xb") as out:
            await Journal(store).note("incident.exported", incident_id=incident_id, by=f"ivr audit ({by})")
            record = await reader.read(collect, incident_id, FULL)
            assert record is not None, "incidents are never deleted"
            await asyncio.to_thread(write, record, Shelf(settings.recordings_dir), by, out)
