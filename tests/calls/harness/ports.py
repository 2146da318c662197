"""给一次测试运行用的空闲端口段；并行的运行互不相撞。
Blocks of free ports for one test run; parallel runs never share a block.

A block is held by exclusive `flock`s on files, so it is free again when its process dies, however it dies.
Blocks lie below the kernel's ephemeral range: sockets that other programs open without asking for a port
cannot land in them.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

FIRST_PORT, LAST_PORT = 10_200, 31_999
_UNIT = 100  # ports under one lock file, so that blocks of different sizes cannot overlap either
LOOPBACK = "127.0.0.1"


class NoFreePorts(RuntimeError):
    """Every block, or every port of the block, is taken."""


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """True when nobody holds `port` for UDP or TCP."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


class PortBlock:
    """`size` neighbouring ports that belong to this process until `release()`.

    `take()` hands out one free port, `take_range(n)` n neighbouring ones that start at an even port (an RTP range),
    `give_back(port)` makes a port available again; it goes to the end of the queue, so reuse comes late.
    """

    def __init__(self, size: int = 1000, directory: Path | None = None) -> None:
        folder = directory or Path(tempfile.gettempdir()) / f"yinling-test-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._locks: list[IO[str]] = []
        units = -(-size // _UNIT)
        for start in range(FIRST_PORT, LAST_PORT - units * _UNIT + 2, _UNIT):
            self._locks = _lock_all(folder / f"{start + n * _UNIT}.lock" for n in range(units))
            if self._locks:
                # A program that knows nothing of our locks may sit here: then the next block is ours.
                if all(map(is_free, range(start, start + size))):
                    break
                self.release()
        else:
            raise NoFreePorts(f"no free block of {size} ports; locks in {folder}")
        self.ports = range(start, start + size)
        self._free = deque(self.ports)

    def take(self) -> int:
        for _ in range(len(self._free)):
            port = self._free.popleft()
            if is_free(port):
                return port
            self._free.append(port)
        raise NoFreePorts(f"all ports of {self.ports} are taken")

    def take_range(self, count: int) -> range:
        """Neighbouring ports, taken from the block's upper end so that single ports do not split them."""
        available = set(self._free)
        for start in range((self.ports.stop - count) & ~1, self.ports.start - 1, -2):
            wanted = range(start, start + count)
            if available.issuperset(wanted) and all(map(is_free, wanted)):
                self._free = deque(port for port in self._free if port not in wanted)
                return wanted
        raise NoFreePorts(f"no {count} neighbouring ports left in {self.ports}")

    def give_back(self, *ports: int) -> None:
        self._free.extend(ports)

    def release(self) -> None:
        for lock in self._locks:
            lock.close()
        self._locks = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lock_all(paths: Iterable[Path]) -> list[IO[str]]:
    """All of these locks, or none."""
    held: list[IO[str]] = []
    for path in paths:
        lock = path.open("w")
        held.append(lock)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            for other in held:
                other.close()
            return []
    return held
