"""Until somebody is at the door the elder is called again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ivr.domain.incident import IncidentView, LegState, LegView, Role
from ivr.domain.recall import RecallPolicy, RecallStep, is_awaited, next_step

T0 = datetime(2024, 5, 6, 3, 0, tzinfo=UTC)
POLICY = RecallPolicy()


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def view(*, sent: float | None = 0, last: float | None = None, missed: int = 0, arrived: bool = False) -> IncidentView:
    made = IncidentView("I1", T0, False, "02155500001")
    made.awaited_since = at(sent) if sent is not None else None
    made.elder_last_called = at(last) if last is not None else None
    made.recalls_missed, made.arrived, made.elder_met = missed, arrived, True
    return made


def test_every_five_minutes_from_the_last_word_with_him() -> None:
    assert next_step(view(), POLICY, at(299)) == RecallStep(look_again_s=1)
    assert next_step(view(), POLICY, at(300)).dial
    assert not next_step(view(last=200), POLICY, at(300)).dial
    assert next_step(view(last=200), POLICY, at(500)).dial


def test_who_does_not_answer_is_called_sooner_and_twice_is_a_worse_answer() -> None:
    once = next_step(view(last=330, missed=1), POLICY, at(390))
    assert once == RecallStep(dial=True)
    assert next_step(view(last=420, missed=2), POLICY, at(425)).unanswered


def test_nobody_is_called_who_is_on_the_line_or_not_awaited_or_reached() -> None:
    talking = view()
    talking.legs = [LegView("L1", Role.ELDER, "02155500001", 0, LegState.ACCEPTED, 1, live=True)]
    lost = view()
    lost.elder_met, lost.elder_lost_since = False, at(10)
    for found in (talking, lost, view(sent=None), view(arrived=True)):
        assert next_step(found, POLICY, at(5000)) == RecallStep()
    assert not is_awaited(view(arrived=True))
    assert is_awaited(view())


@given(st.floats(0, 4000), st.none() | st.floats(0, 4000), st.integers(0, 5))
def test_an_awaited_elder_is_never_forgotten(now: float, last: float | None, missed: int) -> None:
    found = next_step(view(last=min(last, now) if last is not None else None, missed=missed), POLICY, at(now))
    assert found.dial or (found.look_again_s is not None and 0 < found.look_again_s <= POLICY.every_s)
