"""Our time follows the wall clock forward and never back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.clock import MOST_AHEAD_S, Clock

TEN = datetime(2026, 11, 28, 10, tzinfo=UTC)


class Hands:
    """A wall clock that can be set, and the steady one beside it."""

    def __init__(self) -> None:
        self.wall, self.steady = TEN.timestamp(), 500.0

    def pass_(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def clock(hands: Hands) -> Clock:
    return Clock(lambda: hands.wall, lambda: hands.steady)


def test_it_goes_with_the_wall_clock(hands: Hands, clock: Clock) -> None:
    hands.pass_(7)
    assert clock.now() == TEN + timedelta(seconds=7)


def test_set_forward_it_follows_at_once(hands: Hands, clock: Clock) -> None:
    hands.wall += 3600
    assert clock.now() == TEN + timedelta(hours=1)


def test_set_back_it_goes_on_a_tenth_slower_until_the_two_meet(hands: Hands, clock: Clock) -> None:
    hands.wall -= 3600
    hands.pass_(10)
    assert clock.now() == TEN + timedelta(seconds=9)
    hands.pass_(10)
    assert clock.now() == TEN + timedelta(seconds=18)
    for _ in range(11):
        hands.pass_(3600)
        clock.now()
    assert clock.now() == datetime.fromtimestamp(hands.wall, UTC)


def test_a_new_process_goes_on_from_what_is_on_record(hands: Hands, clock: Clock) -> None:
    clock.not_before(TEN + timedelta(minutes=59))
    hands.pass_(10)
    assert clock.now() == TEN + timedelta(minutes=59, seconds=9)
    clock.not_before(TEN)
    clock.not_before(None)
    assert clock.now() == TEN + timedelta(minutes=59, seconds=9)


def test_a_record_of_another_year_is_nonsense(hands: Hands, clock: Clock) -> None:
    clock.not_before(TEN + timedelta(seconds=MOST_AHEAD_S + 60))
    assert clock.now() == TEN
    hands.wall -= MOST_AHEAD_S + 60
    assert clock.now() == datetime.fromtimestamp(hands.wall, UTC)
