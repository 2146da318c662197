"""Tells the other processes of this machine that new events are committed.

One datagram without content to each known listener's abstract Unix socket; whoever misses it reads at the next poll.
Anybody on the machine may ring: the worst that happens is one extra read.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket

LISTENERS = ("engine", "console")


class Doorbell:
    def __init__(self, url: str, name: str) -> None:
        self._key = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._name = name
        self._rung = asyncio.Event()
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._listener: socket.socket | None = None

    def _address(self, name: str) -> str:
        return f"\0yinling-{self._key}-{name}"

    async def open(self) -> None:
        if self._name not in LISTENERS:
            return
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.setblocking(False)
        try:
            listener.bind(self._address(self._name))
        except OSError:  # a second process of that name, as in tests: it lives on the poll alone
            listener.close()
            return
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listener.recv(16)
                self._rung.set()

    def ring(self, *, ourselves: bool = True) -> None:
        """Wake the others, and ourselves unless we need not look."""
        if ourselves:
            self._rung.set()
        for name in LISTENERS:
            if name != self._name:
                with contextlib.suppress(OSError):
                    self._sender.sendto(b"!", self._address(name))

    async def wait(self, at_most_s: float = 1.0) -> None:
        """Return when the bell rang since the last call, or after `at_most_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._rung.wait()
        self._rung.clear()

    def close(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        self._sender.close()
