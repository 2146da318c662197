"""The checker of `make chaos` finds each kind of fault, and nothing where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.calls.chaos_check import Seen, Told, told, violations

CALM = Seen("E1", ["a", "b", "c"], True, {"a": [1, 20], "b": [1, 21], "c": [10, 40]})
RECORD = Told(None, {"a": 2, "b": 2, "c": 2})


def found(seen: Seen, record: Told | None = RECORD) -> list[str]:
    return violations(seen, record, rounds=2, parallel=2)


def test_nothing_is_found_where_all_is_well() -> None:
    assert found(CALM) == []
    assert found(replace(CALM, invites={"a": [1], "b": [1]}), Told(5.0, {"a": 1, "b": 1})) == []
    assert found(replace(CALM, acknowledged=False), None) == []


@pytest.mark.parametrize(
    ("seen", "record", "says"),
    [
        (CALM, None, "on no record"),
        (replace(CALM, invites={"a": [1, 20], "b": [1, 21]}), RECORD, "it rang 0 of 2"),
        (replace(CALM, invites={**CALM.invites, "b": [1]}), RECORD, "it rang 1 of 2"),
        (CALM, Told(None, {"a": 1, "b": 2, "c": 2}), "rang 2 times, 1 dials on record"),
        (CALM, Told(12.0, RECORD.dialled), "dialled 8.0 s after somebody had accepted"),
        (replace(CALM, invites={"a": [15, 20], "b": [1, 21], "c": [10, 40]}), RECORD, "whose turn it was"),
    ],
)
def test_each_fault_is_found(seen: Seen, record: Told | None, says: str) -> None:
    assert any(says in sentence for sentence in found(seen, record))


def test_the_journal_s_times_are_brought_to_the_far_ends_clock() -> None:
    incident = {
        "legs": [{"id": "L1", "role": "family", "phone": "a"}, {"id": "L2", "role": "agent", "phone": "1001"}],
        "events": [
            {"kind": "leg.dialled", "leg_id": "L1", "at": "1970-01-01T00:01:40.000Z"},
            {"kind": "leg.accepted", "leg_id": "L2", "at": "1970-01-01T00:01:41.000Z"},
            {"kind": "leg.accepted", "leg_id": "L1", "at": "1970-01-01T00:01:45.500Z"},
        ],
    }
    assert told(incident, -100.0) == Told(5.5, {"a": 1})
