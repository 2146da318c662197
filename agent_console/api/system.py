"""The journal as a feed, health, figures, and the description of all this."""

from __future__ import annotations

import asyncio

from aiohttp import web

from agent_console import measure
from agent_console.api import openapi
from agent_console.api.endpoint import Answer, Ask
from agent_console.api.models import FeedQuery
from agent_console.api.shapes import Events, HealthOut, PartOut
from agent_console.keys import JOURNAL, METRICS, READER, SETTINGS
from agent_console.metrics import CONTENT_TYPE
from agent_console.queries import board
from agent_console.queries.events import event_out
from agent_console.status import read_parts, spoils

DATABASE_PATIENCE_S = 1.0


async def feed(ask: Ask) -> Answer:
    """`next` is always a number: ask again with it, also when nothing was new."""
    query: FeedQuery = ask.query
    rows = await ask.app[JOURNAL].after(query.after, query.limit)
    return 200, Events(items=[event_out(row) for row in rows], next=rows[-1].seq if rows else query.after)


async def health(ask: Ask) -> Answer:
    try:
        async with asyncio.timeout(DATABASE_PATIENCE_S):
            await ask.app[READER].read(board.last_seq)
        database_ok = True
    except Exception:  # whatever is wrong with it, it does not serve
        database_ok = False
    parts = read_parts(ask.app[SETTINGS].data_dir, database_ok=database_ok)
    down = [name for name, part in parts.items() if spoils(part)]
    shown = {
        name: PartOut(state=part.state, pid=part.pid, since=part.since, restarts=part.restarts)
        for name, part in parts.items()
    }
    return (503 if down else 200), HealthOut(status="degraded" if down else "ok", parts=shown, down=down)


async def figures(ask: Ask) -> Answer:
    await measure.refresh(ask.app)
    return web.Response(body=ask.app[METRICS].text(), headers={"Content-Type": CONTENT_TYPE})


async def description(ask: Ask) -> Answer:
    from agent_console.api.routes import ENDPOINTS  # the table lists this handler too

    return web.json_response(openapi.document(ENDPOINTS))
