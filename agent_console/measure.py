"""Counts requests; refreshes the gauges when Prometheus asks."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from agent_console import keys
from agent_console.errors import Handler
from agent_console.eyes import MASKED
from agent_console.queries import board, queue
from agent_console.status import SECOND_EAR_COUNTS, SECOND_EAR_STATES, read_parts, read_speech
from ivr import clock


@web.middleware
async def requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as exc:
        status = exc.status
        raise
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        request.app[keys.METRICS].requests.labels(request.method[:8], route, status).inc()
    return response


async def refresh(app: web.Application) -> None:
    metrics, reader = app[keys.METRICS], app[keys.READER]
    cards = await reader.read(board.open_incidents, MASKED)
    waiting = await reader.read(queue.waiting, MASKED)
    seats = Counter(seat.state for seat in await reader.read(queue.agents, {}))
    attention = Counter(card.attention for card in cards)
    metrics.set_groups(metrics.incidents, {name: attention[name] for name in board.ATTENTION})
    metrics.set_groups(metrics.seats, {name: seats[name] for name in ("ready", "paused", "away")})
    metrics.waiting.set(len(waiting))
    now = clock.now()
    metrics.longest.set(max(((now - call.since).total_seconds() for call in waiting), default=0.0))
    metrics.journal.set(await app[keys.JOURNAL].last_seq())
    speech = read_speech(app[keys.SETTINGS].data_dir)
    metrics.speech_streams.set(speech.streams)
    metrics.set_groups(metrics.speech_free, {kind: speech.free.get(kind, 0) for kind in ("urgent", "ordinary")})
    metrics.set_groups(metrics.speech_done, speech.counts)
    metrics.set_groups(metrics.second_ear_state, {state: float(state == speech.second) for state in SECOND_EAR_STATES})
    metrics.set_groups(metrics.second_ear_done, dict.fromkeys(SECOND_EAR_COUNTS, 0.0) | speech.second_counts)
    parts = read_parts(app[keys.SETTINGS].data_dir, database_ok=True)
    metrics.set_groups(metrics.parts, {name: float(part.state == "ok") for name, part in parts.items()})
