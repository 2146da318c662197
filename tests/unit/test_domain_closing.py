"""What counts as an explanation, and when one is needed: every combination."""

from __future__ import annotations

from itertools import product

import pytest

from ivr.domain.closing import Closing, is_explanation


@pytest.mark.parametrize(
    ("reason", "least", "good"),
    [
        ("女儿已到家照看", 6, True),
        ("女儿已到家", 6, False),
        ("女儿已到家", 5, True),
        ("went home", 6, True),
        ("aaaaaa", 6, False),
        ("aAaAaA", 6, False),
        ("ababab", 6, False),
        ("好好好好好好！", 6, False),
        ("……！！？？", 6, False),
        ("好 了 吧", 6, False),
        ("好\u200b\u200b\u200b\u200b了吧", 6, False),
        ("x", 1, True),
        ("。", 1, False),
        ("好了", 2, True),
        ("好好", 2, False),
    ],
)
def test_an_explanation(reason: str, least: int, good: bool) -> None:
    assert is_explanation(reason, least) is good


def test_when_one_is_needed() -> None:
    for arrived, sent, called_off, said_safe in product((False, True), repeat=4):
        known = Closing(arrived, sent, called_off, said_safe)
        for outcome in ("helped", "safe", "other", "test", "false_alarm"):
            if arrived:
                needed = False
            elif sent:
                needed = True
            else:
                needed = not (called_off or said_safe or outcome in ("test", "false_alarm"))
            assert known.needs_explanation(outcome) is needed
