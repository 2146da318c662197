"""What waits for the second ear: few utterances, and nobody who talks on pushes out another's cry."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Speaker = TypeVar("Speaker")


class Waits(NamedTuple, Generic[Speaker]):
    speaker: Speaker
    number: int
    pcm: bytes


class WaitingRoom(Generic[Speaker]):
    """First come, first heard. When it is full, whoever has most in it loses his oldest: a television in one
    caller's room fills the queue alone, and what somebody said last says best how he is now."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Waits[Speaker]] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, one: Waits[Speaker]) -> Waits[Speaker] | None:
        """The one that lost its place, if any; it is counted."""
        self._waiting.append(one)
        if len(self._waiting) <= self._most:
            return None
        held = Counter(waits.speaker for waits in self._waiting)
        most = max(held.values())
        lost = next(waits for waits in self._waiting if held[waits.speaker] == most)
        self._waiting.remove(lost)
        self.dropped += 1
        return lost

    def take(self) -> Waits[Speaker] | None:
        return self._waiting.popleft() if self._waiting else None

    def forget(self, gone: Callable[[Speaker], bool]) -> None:
        """Whoever has hung up, or is with people, need not be heard: this is no drop."""
        self._waiting = deque(waits for waits in self._waiting if not gone(waits.speaker))
