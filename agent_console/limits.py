"""Guessing passwords is slow: few failures per name and address, and per address."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable

WINDOW_S = 300.0
PER_NAME_AND_ADDRESS = 5
PER_ADDRESS = 50
REMEMBERED = 10_000


class LoginLimits:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        # argon2 takes 64 MB and a core each time.
        self.hashing = asyncio.Semaphore(2)

    def wait_s(self, name: str, address: str) -> int:
        """Seconds until this name may be tried again from this address; 0: now."""
        return max(
            self._wait((name, address), PER_NAME_AND_ADDRESS),
            self._wait(("", address), PER_ADDRESS),
        )

    def failed(self, name: str, address: str) -> None:
        for key in ((name, address), ("", address)):
            self._failures.setdefault(key, deque(maxlen=PER_ADDRESS)).append(self._clock())
            self._failures.move_to_end(key)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        self._failures.pop((name, address), None)
        if times := self._failures.get(("", address)):
            times.pop()

    def _wait(self, key: tuple[str, str], most: int) -> int:
        times = self._failures.get(key)
        if times is None:
            return 0
        start = self._clock() - WINDOW_S
        while times and times[0] < start:
            times.popleft()
        return int(times[-most] - start) + 1 if len(times) >= most else 0
