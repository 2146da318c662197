"""The supervisor's ear for heartbeats: one datagram socket, the last sign of each process by pid."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from pathlib import Path

from ivr.heartbeat import beat, heartbeat_address

__all__ = ["Heartbeats", "beat", "heartbeat_address"]


class Heartbeats(asyncio.DatagramProtocol):
    """Signs are kept by pid, so that a late datagram of a killed process never speaks for its successor."""

    def __init__(self) -> None:
        self._last: dict[int, float] = {}
        self._first: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, address: str) -> None:
        """Listen; a socket file that a killed supervisor left behind is replaced."""
        sock = _bound_socket(address)
        try:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=sock)
        except BaseException:
            sock.close()
            raise

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: object) -> None:
        words = data.decode("ascii", "replace").split()
        if len(words) == 2 and words[1].isdigit():
            pid = int(words[1])
            self._last[pid] = asyncio.get_running_loop().time()
            self._first[pid].set()

    def error_received(self, exc: Exception) -> None:
        """Datagrams carry nothing that could be lost for good: the next second brings another."""

    async def wait_first(self, pid: int) -> None:
        await self._first[pid].wait()

    def silence_s(self, pid: int) -> float | None:
        """Seconds since the last sign; None before the first."""
        last = self._last.get(pid)
        return None if last is None else asyncio.get_running_loop().time() - last

    def forgive(self) -> None:
        """Count from now: the supervisor itself was asleep and could not hear."""
        now = asyncio.get_running_loop().time()
        self._last = dict.fromkeys(self._last, now)

    def forget(self, pid: int) -> None:
        self._last.pop(pid, None)
        self._first.pop(pid, None)


def _bound_socket(address: str) -> socket.socket:
    if not address.startswith("\0"):
        Path(address).parent.mkdir(parents=True, exist_ok=True)
        Path(address).unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
