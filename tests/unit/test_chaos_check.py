"""The checker of `make chaos` finds each kind of fault, and nothing where there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from tests.calls.chaos.check import Dial, Seen, Told, call_backs, healed, settled, told, violations

CALM = Seen("E1", ["a", "b", "c"], True, {"a": [1, 20], "b": [1, 21], "c": [10, 40]})
NO = Dial(0, None, 5, "no_answer")
LOST = Dial(0, None, 5, "lost")
CAME = Dial(0, 5.0, 90, "talked")
TAKEN_AWAY = Dial(0, 5.0, 12, "lost")
RECORD = Told({"a": [NO, NO], "b": [NO, NO], "c": [NO, NO]})
LATE = Told({**RECORD.dials, "a": [replace(NO, at=14), replace(NO, at=19)]})
CUT = replace(CALM, torn=[100], outages=[(99, 110), (130, 131)], until=200)


def found(seen: Seen, record: Told | None = RECORD) -> list[str]:
    return violations(seen, record, rounds=2, parallel=2)


def test_nothing_is_found_where_all_is_well() -> None:
    assert found(CALM) == []
    assert found(replace(CALM, invites={"a": [1], "b": [1]}), Told({"a": [NO], "b": [CAME]})) == []
    assert found(replace(CALM, acknowledged=False), None) == []
    assert found(CALM, Told({**RECORD.dials, "b": [LOST, NO, NO]})) == []
    assert found(CALM, Told({**RECORD.dials, "b": [LOST] * 5})) == [], "not for ever"
    late = replace(TAKEN_AWAY, accepted_at=9.5)
    assert found(CALM, Told({**RECORD.dials, "a": [late, NO, NO]})) == [], "he was lost at 12"
    assert found(replace(CUT, called_back=[124])) == []
    assert found(replace(CUT, until=120)) == [], "not yet late"


@pytest.mark.parametrize(
    ("seen", "record", "says"),
    [
        (CALM, None, "on no record"),
        (replace(CALM, invites={"a": [1, 20], "b": [1, 21]}), RECORD, "it rang 0 of 2"),
        (replace(CALM, invites={**CALM.invites, "b": [1]}), RECORD, "it rang 1 of 2"),
        (CALM, Told({**RECORD.dials, "a": [NO]}), "rang 2 times, 1 dials on record"),
        (CALM, Told({**RECORD.dials, "a": [NO, CAME]}), "c: dialled 35.0 s after somebody had accepted"),
        (CALM, Told({**RECORD.dials, "a": [TAKEN_AWAY, NO]}), "c: dialled 5.0 s after somebody had accepted"),
        (CALM, Told({**RECORD.dials, "a": [NO, NO, LOST]}), "its last dial was lost and not made again"),
        (replace(CALM, invites={"a": [15, 20], "b": [1, 21], "c": [10, 40]}), LATE, "whose turn it was"),
        (CUT, RECORD, "not called back within 15 s"),
        (replace(CUT, called_back=[127]), RECORD, "but after 17.0 s"),
        (replace(CUT, called_back=[98]), RECORD, "not called back within 15 s"),
    ],
)
def test_each_fault_is_found(seen: Seen, record: Told | None, says: str) -> None:
    assert any(says in sentence for sentence in found(seen, record))


def test_time_counts_from_when_nothing_was_broken_for_long_enough() -> None:
    assert healed(100, []) == 100
    assert healed(100, [(99, 110), (120, 121), (150, 151)]) == 121
    assert healed(100, [(99, 110), (126, 127)]) == 110
    assert call_backs(replace(CUT, called_back=[112])) == [(110, 2)]
    chain = replace(CUT, outages=[(99, 110), (120, 121), (130, 131)], called_back=[112])
    assert call_backs(chain) == [(110, 2)], "between two faults"


def test_an_emergency_is_at_rest_when_somebody_came_or_everybody_was_tried() -> None:
    assert settled(RECORD, 2)
    assert settled(Told({"a": [NO], "b": [CAME]}), 2)
    assert not settled(Told({"a": [NO, NO], "b": [NO, LOST]}), 2)
    assert not settled(Told({"a": [NO, NO], "b": [NO, Dial(3)]}), 2)
    assert not settled(Told({"a": [NO, NO], "b": []}), 2)
    assert not settled(Told({"a": [NO, NO], "b": [TAKEN_AWAY]}), 2)


@dataclass(frozen=True)
class Happened:
    at: float
    kind: str
    leg_id: str | None
    data: dict[str, object] = field(default_factory=dict)


def test_the_journal_s_dials_are_read_with_their_ends() -> None:
    events = [
        Happened(1, "leg.dialled", "L1"),
        Happened(1, "leg.dialled", "L2"),
        Happened(2, "leg.accepted", "L2"),
        Happened(3, "leg.ended", "L1", {"outcome": "lost"}),
        Happened(4, "leg.dialled", "L1"),
        Happened(5, "leg.accepted", "L1"),
        Happened(6, "leg.ended", "L1", {"outcome": "talked"}),
        Happened(7, "leg.dialled", "agent"),
        Happened(7, "leg.ended", "L2", {"outcome": "talked"}),
        Happened(8, "leg.torn", "L2"),
    ]
    assert told({"L1": "a", "L2": "b"}, events) == Told(
        {"a": [Dial(1, None, 3, "lost"), Dial(4, 5, 6, "talked")], "b": [Dial(1, 2, 7, "lost")]}
    )
