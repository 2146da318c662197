"""The HTTP side of a worker: Asterisk's WebSocket at two paths, of which one takes the slots kept for emergencies."""

from __future__ import annotations

import logging

from aiohttp import web

from ivr.speech.aeap import FRAME_LIMIT, SUBPROTOCOL
from ivr.speech.stream import Hall, Stream

log = logging.getLogger(__name__)

URGENT = "/urgent"
ORDINARY = "/ordinary"
"""The paths in asterisk-conf/aeap.conf.j2."""


async def open_server(hall: Hall) -> web.ServerRunner:
    """A protocol factory (`runner.server`) for accepted sockets; it listens nowhere itself."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
        if request.path not in (URGENT, ORDINARY) or SUBPROTOCOL not in offered:
            return web.Response(status=404, text="AEAP speech_to_text at /urgent and /ordinary\n")
        ws = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), max_msg_size=FRAME_LIMIT, compress=False, autoping=True, timeout=1.0
        )
        await ws.prepare(request)
        await Stream(ws, hall, urgent=request.path == URGENT).run()
        return ws

    runner = web.ServerRunner(web.Server(handle, access_log=None, lingering_time=0.0))
    await runner.setup()
    return runner
