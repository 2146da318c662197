"""How much of a number somebody may see."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.domain import numbers


@dataclass(frozen=True, slots=True)
class Eyes:
    full: bool

    def number(self, value: str) -> str:
        return value if self.full else numbers.masked(value)

    def opt_number(self, value: str | None) -> str | None:
        return value if value is None else self.number(value)


FULL = Eyes(full=True)
MASKED = Eyes(full=False)
