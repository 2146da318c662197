"""One connected screen: a mailbox that only ever holds the newest of each fragment.

A screen that reads slowly misses states in between, never the last one; it costs nobody else anything and its mailbox
cannot grow beyond its number of fragments.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """`seq` is the journal's number at which this content appeared."""

    name: str
    html: str
    seq: int
    frame: bytes

    @staticmethod
    def of(name: str, html: str, seq: int) -> Fragment:
        event = name.partition("/")[0]
        # An event without a data line would not be dispatched: emptiness is told too.
        lines = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
        return Fragment(name, html, seq, f"event: {event}\n{lines}".encode())


class Client:
    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.closed = False
        self._pending: dict[str, Fragment] = {}
        self._seq = 0
        self._wake = asyncio.Event()

    def offer(self, fragment: Fragment) -> None:
        if fragment.name in self.names:
            self._pending[fragment.name] = fragment
            self._wake.set()

    def reached(self, seq: int) -> None:
        """Everything up to `seq` is offered: what the screen may name when it comes back."""
        self._seq = max(self._seq, seq)

    def close(self) -> None:
        self.closed = True
        self._wake.set()

    async def take(self, at_most_s: float) -> bytes:
        """What to send now; empty after `at_most_s` without news.

        Only the last event of a flush carries the id: who has it has all the others too.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._wake.wait()
        self._wake.clear()
        fragments, self._pending = list(self._pending.values()), {}
        if not fragments:
            return b""
        return b"\n".join(fragment.frame for fragment in fragments) + f"id: {self._seq}\n\n".encode()
