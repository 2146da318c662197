"""The time that stands on records. It never goes back.

What is decided by time compares stamps on record with now: with the machine's clock set back by an hour, nobody would
be called again for an hour, and an acceptance would lie before the alarm that it answers. So our time follows the
wall clock forward; where that went back, ours goes on from where it was, a tenth slower, until the two meet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

SLOWED = 0.9
MOST_AHEAD_S = 24 * 3600.0
"""Further ahead than this, it was our time that was nonsense."""


class Clock:
    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._lock = threading.Lock()  # the loop and the store's writer ask
        self._now, self._at = wall(), steady()

    def now(self) -> datetime:
        with self._lock:
            at, wall = self._steady(), self._wall()
            if not 0 < self._now - wall <= MOST_AHEAD_S:
                self._now = wall
            else:
                self._now = max(wall, self._now + SLOWED * (at - self._at))
            self._at = at
            return datetime.fromtimestamp(self._now, UTC)

    @property
    def is_ahead(self) -> bool:
        """Of the wall clock, which was set back."""
        return 0 < self._now - self._wall() <= MOST_AHEAD_S

    def not_before(self, stamp: datetime | None) -> None:
        """Go on from this stamp, which is on record: our processes must not fall behind each other."""
        with self._lock:
            if stamp is not None and 0 < stamp.timestamp() - self._wall() <= MOST_AHEAD_S:
                self._now, self._at = max(self._now, stamp.timestamp()), self._steady()


clock = Clock()
"""Of this process."""


def now() -> datetime:
    return clock.now()
