"""The FastAGI server: one task per call, a deadline on the greeting, a cap on connections.

Ours because neither named package can be exposed: panoramisk's server freezes on one connect-and-close, pyst2's does
not import on Python 3 (asterisk-notes 7.1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ivr.asterisk import agi_protocol
from ivr.asterisk.agi_protocol import AgiProtocolError, AgiReply, parse_header, parse_reply
from ivr.asterisk.agi_wire import AgiClosed, AgiWire
from ivr.callflows.call import CallerHungUp

log = logging.getLogger(__name__)

GREETING_WITHIN_S = 1.0
MAX_CONNECTIONS = 1200  # twice the design target of 400 calls with their outbound legs

Handler = Callable[["AgiSession"], Awaitable[None]]


class AgiSession:
    """One AGI step of one channel: `env` as Asterisk sent it, and commands one at a time."""

    def __init__(self, wire: AgiWire, env: dict[str, str]) -> None:
        self._wire = wire
        self.env = env
        self.hung_up = False
        self._usage_may_follow = False

    def argument(self, number: int) -> str:
        return self.env.get(f"agi_arg_{number}", "")

    async def command(self, verb: str, *arguments: str) -> AgiReply:
        """Send one command and wait for its reply.

        Raises:
            CallerHungUp: HANGUP, a dead channel (511) or the end of the stream.
            AgiProtocolError: an answer that is none.
            ValueError: an argument with a line break.
        """
        if self.hung_up:
            raise CallerHungUp
        try:
            self._wire.write(agi_protocol.command_line(verb, *arguments))
            return await self._reply()
        except ConnectionError:
            self.hung_up = True
            raise CallerHungUp from None

    async def _reply(self) -> AgiReply:
        while True:
            raw = await self._wire.read_until(b"\n")
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if line.startswith("HANGUP"):
                self.hung_up = True
                raise CallerHungUp
            if line.startswith("520-"):
                await self._skip_usage()
                if self._usage_may_follow:  # the tail of the command before: EXEC's 1 reads as "show the usage"
                    self._usage_may_follow = False
                    continue
                raise AgiProtocolError("Asterisk did not understand a command")
            reply = parse_reply(line)
            if reply is None:
                continue
            if reply.code == 511:
                self.hung_up = True
                raise CallerHungUp
            if reply.code != 200:
                raise AgiProtocolError(f"Asterisk answered {reply.code}")
            self._usage_may_follow = reply.result == 1
            return reply

    async def _skip_usage(self) -> None:
        while not (await self._wire.read_until(b"\n")).startswith(b"520 "):
            pass


class AgiServer:
    """Listens on loopback only: AGI has no authentication."""

    def __init__(self, port: int, handler: Handler) -> None:
        self._port = port
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> AgiServer:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: AgiWire(self._made), "127.0.0.1", self._port, backlog=256)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._sessions:
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    def _made(self, wire: AgiWire) -> None:
        task = asyncio.get_running_loop().create_task(self._connected(wire), name="agi")
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _connected(self, wire: AgiWire) -> None:
        try:
            if len(self._sessions) > MAX_CONNECTIONS:
                log.error("over %d AGI connections: refused, the lifeline takes the call", MAX_CONNECTIONS)
                return
            async with asyncio.timeout(GREETING_WITHIN_S):
                raw = await wire.read_until(b"\n\n")
            await self._handler(AgiSession(wire, parse_header(raw)))
        except CallerHungUp:
            pass
        except (TimeoutError, AgiClosed, ConnectionError):
            log.info("an AGI connection without a greeting was closed")
        except AgiProtocolError as exc:
            log.warning("AGI: %s", exc)
        except Exception:
            # Closing without the marker sends the call to the lifeline: a voice, whatever Python did.
            log.exception("a call flow failed; the lifeline takes the call")
        finally:
            wire.close()
