"""Runs of a journey added up: what is missing, failed or lost is told, never left out in silence."""

from __future__ import annotations

from typing import Any

import pytest

from bench import __main__ as bench
from bench import report
from bench.journeys.figures import JOURNEYS, figures
from ivr.cli import bench as command

WHOLE = {"ordinary_calls_lost": 0, "others_undisturbed": True}
PRESS = {"ms": {"committed": 20.0, "listed": 60.0, "two_way": 5000.0}, **WHOLE}


def test_times_between_two_moments_and_what_is_missing_are_counted() -> None:
    slow: dict[str, Any] = {"ms": {"committed": 40.0, "two_way": 9000.0}, **WHOLE, "ordinary_calls_lost": 1}
    found = figures("break-in", [PRESS, slow, {"failed": "not within 20 s: two-way speech with a seat"}])
    assert found["runs"] == 3
    assert found["failed"] == ["not within 20 s: two-way speech with a seat"]
    assert found["ms"]["two_way"]["max"] == 9000
    assert found["ms"]["committed_to_listed"]["p50"] == 40
    assert found["ms"]["listed"]["missing"] == 1
    assert found["none"] == {"ordinary_calls_lost": 1}
    table = report.table(report.rows({"break-in": found}))
    assert "1 failed, 1 ordinary_calls_lost" in table
    assert "p50 5000, p95 9000" in table
    assert "1 missing" in table


def test_a_run_with_several_elders_counts_each() -> None:
    runs = [{"elders_ms": [3000.0, 4000.0], "ms": {"asterisk_up": 900.0}, "lost_before": 0}] * 2
    found = figures("restart", runs)
    assert (found["ms"]["elders"]["count"], found["ms"]["asterisk_up"]["count"]) == (4, 2)


@pytest.mark.parametrize("name", JOURNEYS)
def test_every_journey_is_a_part_of_the_bench_and_of_the_command(name: str) -> None:
    assert name in bench.PARTS
    assert name in command.PARTS.split("|")
