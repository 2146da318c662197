"""GET /incidents/ID/export: the record of one incident, for those who answer for it."""

from __future__ import annotations

import asyncio
import tempfile
from typing import IO

from aiohttp import web

from agent_console.api.endpoint import Answer, Ask
from agent_console.api.ids import need_ulid
from agent_console.export.archive import CHUNK, write
from agent_console.keys import EXPORTING, JOURNAL, READER, SETTINGS
from agent_console.queries.exports import collect
from agent_console.validation import Refused
from ivr.record.shelf import Shelf


async def export_incident(ask: Ask) -> Answer:
    """Who takes it away is on record before the first byte goes out."""
    if not ask.who.may_export:
        raise Refused(
            403,
            "forbidden",
            "只有班长、管理员和审计可以导出。",
            "Only supervisors, admins and auditors may export.",
        )
    incident_id = need_ulid(ask.part("id"), _not_found)
    reader = ask.app[READER]
    if await reader.read(collect, incident_id, ask.who.eyes) is None:
        raise _not_found()
    await ask.app[JOURNAL].note("incident.exported", incident_id=incident_id, by=ask.who.name)
    record = await reader.read(collect, incident_id, ask.who.eyes)
    assert record is not None, "incidents are never deleted"
    settings = ask.app[SETTINGS]
    async with ask.app[EXPORTING]:  # one at a time: the machine carries calls
        try:
            with tempfile.TemporaryFile(dir=settings.data_dir) as file:
                await asyncio.to_thread(write, record, Shelf(settings.recordings_dir), ask.who.name, file)
                return await _send(ask.request, file, f"incident-{incident_id}.zip")
        except ConnectionError:
            raise
        except OSError:
            raise Refused(
                503, "no_room", "磁盘无法写入，没有导出。", "The disk cannot be written; nothing was exported."
            ) from None


async def _send(request: web.Request, file: IO[bytes], name: str) -> web.StreamResponse:
    size = file.tell()
    file.seek(0)
    answer = web.StreamResponse(
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Content-Type": "application/zip"}
    )
    answer.content_length = size
    await answer.prepare(request)
    while chunk := await asyncio.to_thread(file.read, CHUNK):
        await answer.write(chunk)
    await answer.write_eof()
    return answer


def _not_found() -> Refused:
    return Refused(404, "unknown_incident", "没有这个事件。", "There is no such incident.")
