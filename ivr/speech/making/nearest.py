"""The phrase of a grammar that is closest to what was heard."""

from __future__ import annotations

from collections.abc import Sequence

FARTHEST = 0.6
"""Edit distance by length above which nothing is near."""


def nearest(said: str, phrases: Sequence[str]) -> str | None:
    if said in phrases or not said:
        return said or None
    (best, phrase), (second, _) = sorted((distance(said, p) / max(len(p), len(said)), p) for p in phrases)[:2]
    return phrase if best <= FARTHEST and second > best else None


def distance(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b)))
    return row[-1]
