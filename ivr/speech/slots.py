"""Admission: how many streams one worker hears at once, and whose they are. Emergencies come first."""

from __future__ import annotations


class Slots:
    """`total` streams, of which the last `kept` are for emergencies only."""

    def __init__(self, total: int, kept: int) -> None:
        if not 0 <= kept < total:
            raise ValueError("some slots must be left for ordinary calls")
        self.total = total
        self.kept = kept
        self.taken = 0

    def free(self, *, urgent: bool) -> int:
        return max(0, self.total - self.taken - (0 if urgent else self.kept))

    def take(self, *, urgent: bool) -> bool:
        """One more stream, if there is room for one of its kind."""
        if not self.free(urgent=urgent):
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        self.taken -= 1
