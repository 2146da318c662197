"""What was meant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Understood:
    id: str
    score: float
    """0 to 1."""
    text: str
    """The grammar's entry, never the caller's own words."""
