"""GET /stream: one screen's live connection (server-sent events)."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from agent_console.api.ids import need_ulid
from agent_console.keys import HUB, METRICS
from agent_console.live.client import Client
from agent_console.live.hub import Hub
from agent_console.live.render import names_for
from agent_console.validation import Refused
from agent_console.who import person
from ivr import clock

BEAT_S = 4.0  # the page says that it is stale after 10 s of silence
WRITE_PATIENCE_S = 10.0
SESSION_CHECK_S = 30.0
MOST_STREAMS = 500


async def stream(request: web.Request) -> web.StreamResponse:
    who = await person(request)
    if who is None:
        return web.Response(status=204)  # tells the browser not to come back; the page then asks for a log-in
    incident = request.query.get("incident")
    names = frozenset(names_for(who, need_ulid(incident, _no_incident) if incident else None).values())
    hub = request.app[HUB]
    if hub.count >= MOST_STREAMS:
        raise Refused(503, "too_many", "打开的画面太多。", "Too many screens are open.", retry_after_s=5)
    client = await hub.join(names, _seen(request))
    try:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        await _send(request, response, b"retry: 1000\n\n" + _beat(hub))
        await _pump(request, response, client)
        return response
    finally:
        hub.leave(client)


async def _pump(request: web.Request, response: web.StreamResponse, client: Client) -> None:
    hub = request.app[HUB]
    beat_at = time.monotonic() + BEAT_S
    session_at = time.monotonic() + SESSION_CHECK_S
    while not client.closed:
        data = await client.take(max(0.0, beat_at - time.monotonic()))
        if time.monotonic() >= beat_at:
            beat_at = time.monotonic() + BEAT_S
            if time.monotonic() >= session_at:
                session_at = time.monotonic() + SESSION_CHECK_S
                if await person(request) is None:
                    await _send(request, response, b"event: logged-out\ndata: 1\n\n")
                    return
            data += _beat(hub)
        if data and not await _send(request, response, data):
            return


def _beat(hub: Hub) -> bytes:
    """Also a comment line: what stands between us and the browser sees life either way."""
    if not hub.is_fresh:
        return b": not fresh\n\n"
    now = clock.now()
    return (
        f': beat\nevent: beat\ndata: <time id="clock" data-now="{now.isoformat()}">'
        f"{now.astimezone():%H:%M:%S}</time>\n\n"
    ).encode()


async def _send(request: web.Request, response: web.StreamResponse, data: bytes) -> bool:
    """False: this screen does not read; it is cut off and will come back and be given everything."""
    try:
        async with asyncio.timeout(WRITE_PATIENCE_S):
            await response.write(data)
    except TimeoutError:
        request.app[METRICS].streams_dropped.inc()
        if request.transport is not None:
            request.transport.abort()
        return False
    except ConnectionError:
        return False
    return True


def _seen(request: web.Request) -> int | None:
    """What the browser had last; the page itself counts when it has just been loaded."""
    value = request.headers.get("Last-Event-ID") or request.query.get("seq") or ""
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _no_incident() -> Refused:
    return Refused(404, "unknown_incident", "没有这个事件。", "There is no such incident.")
