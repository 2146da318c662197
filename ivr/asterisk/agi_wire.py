"""One AGI connection's bytes: lines in, commands out. A protocol of our own, because asyncio's streams cost a call as
much CPU as everything else the engine does with it on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ivr.asterisk.agi_protocol import MAX_HEADER_BYTES, AgiProtocolError


class AgiClosed(ConnectionError):
    """Asterisk closed the connection: the caller is gone, or the step was taken back."""


class AgiWire(asyncio.Protocol):
    """`made` is called once per connection. One reader at a time."""

    def __init__(self, made: Callable[[AgiWire], None]) -> None:
        self._made = made
        self._buffer = bytearray()
        self._until = b""
        self._waiter: asyncio.Future[None] | None = None
        self._closed = False
        self._paused = False
        self._transport: Any = None

    # ---- asyncio calls

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._made(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_HEADER_BYTES:
            if not self._paused:
                self._paused = True
                self._transport.pause_reading()  # whoever reads finds a line, or one that is too long
            self._wake()
        elif self._waiter is not None and self._until in self._buffer:
            self._wake()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._closed = True
        self._wake()

    def eof_received(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ---- we call

    async def read_until(self, end: bytes) -> bytes:
        """Bytes up to and with `end`.

        Raises:
            AgiClosed: closed before it came.
            AgiProtocolError: over MAX_HEADER_BYTES without it.
        """
        while (at := self._buffer.find(end)) < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise AgiProtocolError("an AGI line without end")
            if self._closed:
                raise AgiClosed
            self._until, self._waiter = end, asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        at += len(end)
        found = bytes(self._buffer[:at])
        del self._buffer[:at]
        if self._paused and not self._closed:
            self._paused = False
            self._transport.resume_reading()
        return found

    def write(self, data: bytes) -> None:
        """Raises AgiClosed. One command at a time, so that what is not yet sent stays below 8 kB."""
        if self._closed or self._transport.is_closing():
            raise AgiClosed
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()
