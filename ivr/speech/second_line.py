"""A worker's line to the second ear: utterances out, meanings back, and never a wait.

The other end is a process of its own, the same for all workers (`second_process`). Frames out: stream, number, length
(three unsigned 32-bit, big endian), then so many bytes of sound; no sound: the stream is over. Back: lines of JSON
[stream, number, meaning, score]; an empty meaning is nothing understood, or nobody listened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

HEAD = struct.Struct("!III")
MOST_BYTES = 400_000
"""Of one utterance; the longest is 192,000 (utterances.LONGEST_S)."""
MOST_UNSENT = 1_000_000
"""Bytes that may wait in this process for a second ear that does not read: a minute of speech."""
LONGEST_LINE = 1_000

Told = Callable[[int, str, int], None]
"""Number of the utterance, meaning, score; called in the event loop, only while the stream lives."""


@dataclass
class LineCounts:
    second_sent: int = 0
    second_lost: int = 0
    """Utterances that the second ear was not there for, or went away with."""
    second_told: int = 0
    """Results that streams took from it."""


class SecondLine:
    """Without a second ear (yet, or any more) everything is dropped and counted."""

    def __init__(self) -> None:
        self.counts = LineCounts()
        self._writer: asyncio.StreamWriter | None = None
        self._told: dict[int, Told] = {}
        self._unanswered = 0
        self._reading: asyncio.Task[None] | None = None

    async def attach(self, connection: socket.socket) -> None:
        """From now on this connection; raises OSError."""
        await self.close()
        reader, writer = await asyncio.open_connection(sock=connection, limit=LONGEST_LINE)
        self._writer = writer
        self._reading = asyncio.create_task(self._read(reader, writer), name="second-line")

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    def enter(self, stream: int, told: Told) -> None:
        self._told[stream] = told

    def leave(self, stream: int) -> None:
        """What is still to be said to it is dropped here, what is still to be heard of it over there."""
        if self._told.pop(stream, None) is not None and self._writer is not None:
            self._writer.write(HEAD.pack(stream, 0, 0))

    def send(self, stream: int, number: int, pcm: bytes) -> None:
        writer = self._writer
        if writer is None or writer.transport.get_write_buffer_size() > MOST_UNSENT:
            self.counts.second_lost += 1
            return
        writer.write(HEAD.pack(stream, number, len(pcm)) + pcm)
        self._unanswered += 1
        self.counts.second_sent += 1

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._answer(line)
        except (OSError, ValueError, TypeError) as fault:
            log.warning("second ear: %s on its line", type(fault).__name__)
        finally:
            self.counts.second_lost += self._unanswered
            self._unanswered = 0
            self._writer = None
            writer.close()

    def _answer(self, line: bytes) -> None:
        stream, number, meaning, score = json.loads(line)
        self._unanswered -= 1
        told = self._told.get(stream)
        if meaning and told is not None:
            told(int(number), str(meaning), max(0, min(100, int(score))))
