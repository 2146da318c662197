"""Percentiles, intervals and pictures of figures, without a library."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank); NaN for none."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    rank = -(-len(ordered) * share // 1)  # rounded up
    return ordered[min(len(ordered), max(1, int(rank))) - 1]


def bootstrap(
    values: Sequence[float],
    figure: Callable[[Sequence[float]], float] = statistics.median,
    *,
    rounds: int = 4000,
    sureness: float = 0.95,
) -> tuple[float, float]:
    """Interval of `figure` by drawing as many values again and again; the same every time."""
    draw = random.Random(12349)
    found = sorted(figure(draw.choices(values, k=len(values))) for _ in range(rounds))
    edge = (1 - sureness) / 2
    return found[int(edge * rounds)], found[int((1 - edge) * rounds) - 1]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares."""
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def histogram(values: Sequence[float], unit: str, *, bars: int = 12, width: int = 40) -> list[str]:
    """Lines of text; the last bar holds everything above the 99th percentile."""
    if not values:
        return []
    low, high = min(values), percentile(values, 0.99)
    step = (high - low) / (bars - 1) or 1.0
    counts = [0] * bars
    for value in values:
        counts[min(bars - 1, int((value - low) / step))] += 1
    most = max(counts)
    return [
        f"  {low + n * step:8.1f} {unit} {'#' * -(-count * width // most):<{width}} {count}"
        for n, count in enumerate(counts)
    ]
