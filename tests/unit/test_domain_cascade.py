"""Who of the family is dialled next: rules held against every order of events that hypothesis finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.domain.cascade import MAX_LOST, CascadePolicy, Family, Order, is_available, next_step, order
from ivr.domain.incident import LegState, LegView, Outcome, Role

NOT_REACHED = [Outcome.BUSY, Outcome.NO_ANSWER, Outcome.DECLINED, Outcome.NOT_CONFIRMED, Outcome.UNREACHABLE]


def _leg(name: str, priority: int = 1, *, available: bool = True) -> LegView:
    return LegView(name, Role.FAMILY, name, priority, LegState.WAITING, attempts=0, available=available)


def _dial(leg: LegView) -> None:
    assert not leg.live, "a live leg is dialled a second time"
    leg.live, leg.state, leg.outcome = True, LegState.DIALLED, None
    leg.attempts += 1


def _end(leg: LegView, outcome: Outcome) -> None:
    leg.live, leg.state, leg.outcome = False, LegState.ENDED, outcome
    if outcome is Outcome.LOST:
        leg.attempts -= 1
        leg.lost += 1


def _accept(leg: LegView) -> None:
    leg.state, leg.ever_accepted = LegState.ACCEPTED, True


family = st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=6).map(
    lambda rows: [_leg(f"leg{n}", priority, available=hours) for n, (priority, hours) in enumerate(rows)]
)
policies = st.builds(CascadePolicy, parallel=st.integers(1, 4), rounds=st.integers(1, 3))


def _run_until_exhausted(legs: list[LegView], policy: CascadePolicy, data: st.DataObject, lost: bool) -> list[str]:
    """Nobody accepts; calls end in any order. Returns everybody dialled, in order."""
    by_id = {leg.id: leg for leg in legs}
    dialled: list[str] = []
    for _ in range(500):
        step = next_step(legs, policy)
        assert not step.cancel
        for leg_id in step.dial:
            _dial(by_id[leg_id])
            dialled.append(leg_id)
        live = [leg for leg in legs if leg.live]
        assert len(live) <= policy.parallel
        if step.exhausted:
            assert not live
            return dialled
        assert live, "nobody rings, nobody is dialled and it is not said to be exhausted"
        ends = [*NOT_REACHED, Outcome.LOST] if lost else NOT_REACHED
        _end(data.draw(st.sampled_from(live)), data.draw(st.sampled_from(ends)))
    raise AssertionError("the cascade does not end")


@given(family, policies, st.data())
@settings(max_examples=300, deadline=None)
def test_nobody_accepts_everybody_is_dialled_in_every_round(
    legs: list[LegView], policy: CascadePolicy, data: st.DataObject
) -> None:
    dialled = _run_until_exhausted(legs, policy, data, lost=False)
    size = len(legs)
    order = [leg.id for leg in sorted(legs, key=lambda leg: (not leg.available, leg.priority, leg.id))]
    assert len(dialled) == size * policy.rounds
    assert dialled[:size] == order
    for number in range(policy.rounds):  # a round is finished before the next begins
        assert sorted(dialled[number * size : (number + 1) * size]) == sorted(order)


@given(family, policies, st.data())
@settings(max_examples=300, deadline=None)
def test_lost_calls_are_made_again_but_not_for_ever(
    legs: list[LegView], policy: CascadePolicy, data: st.DataObject
) -> None:
    dialled = _run_until_exhausted(legs, policy, data, lost=True)
    for leg in legs:
        assert dialled.count(leg.id) == leg.attempts + leg.lost
        assert leg.lost <= MAX_LOST
        assert leg.attempts == policy.rounds or leg.lost == MAX_LOST


@given(family.filter(bool), policies, st.data())
@settings(max_examples=300, deadline=None)
def test_after_acceptance_nobody_is_dialled_and_ringing_stops(
    legs: list[LegView], policy: CascadePolicy, data: st.DataObject
) -> None:
    by_id = {leg.id: leg for leg in legs}
    for _ in range(data.draw(st.integers(0, 10))):
        for leg_id in next_step(legs, policy).dial:
            _dial(by_id[leg_id])
        live = [leg for leg in legs if leg.live]
        if not live:
            break
        leg = data.draw(st.sampled_from(live))
        if data.draw(st.booleans()):
            leg.state = data.draw(st.sampled_from([LegState.RINGING, LegState.ANSWERED]))
        else:
            _end(leg, data.draw(st.sampled_from(NOT_REACHED)))
    live = [leg for leg in legs if leg.live]
    if not live:
        return
    _accept(data.draw(st.sampled_from(live)))
    step = next_step(legs, policy)
    assert not step.dial
    assert not step.exhausted
    assert set(step.cancel) == {leg.id for leg in live if leg.state in (LegState.DIALLED, LegState.RINGING)}
    for leg in live:  # also when everybody has left again
        _end(leg, Outcome.TALKED if leg.ever_accepted else Outcome.CANCELLED)
    step = next_step(legs, policy)
    assert (step.dial, step.cancel, step.exhausted) == ((), (), False)


def test_second_round_waits_for_the_last_call_of_the_first() -> None:
    """The daughter was busy at once: she is not dialled again while the son's phone still rings."""
    daughter, son = _leg("daughter", 1), _leg("son", 2)
    policy = CascadePolicy(parallel=2, rounds=2)
    assert next_step([daughter, son], policy).dial == ("daughter", "son")
    _dial(daughter)
    _dial(son)
    _end(daughter, Outcome.BUSY)
    assert next_step([daughter, son], policy).dial == ()
    _end(son, Outcome.NO_ANSWER)
    assert next_step([daughter, son], policy).dial == ("daughter", "son")


def test_next_contact_takes_the_free_line_at_once() -> None:
    legs = [_leg("a", 1), _leg("b", 2), _leg("c", 3)]
    _dial(legs[0])
    _dial(legs[1])
    _end(legs[0], Outcome.BUSY)
    assert next_step(legs, CascadePolicy()).dial == ("c",)


def test_lost_call_is_made_again_in_its_round() -> None:
    legs = [_leg("a", 1), _leg("b", 2), _leg("c", 3)]
    _dial(legs[0])
    _dial(legs[1])
    _end(legs[0], Outcome.LOST)
    assert next_step(legs, CascadePolicy()).dial == ("a",)


def test_who_can_be_reached_now_comes_first_but_nobody_is_left_out() -> None:
    legs = [_leg("asleep", 1, available=False), _leg("awake", 2)]
    assert next_step(legs, CascadePolicy(parallel=1)).dial == ("awake",)
    assert next_step(legs, CascadePolicy(parallel=2)).dial == ("awake", "asleep")


def test_without_family_it_is_exhausted_at_once() -> None:
    assert next_step([], CascadePolicy()).exhausted


@pytest.mark.parametrize(
    ("now", "start", "end", "reachable"),
    [
        ("12:00", None, None, True),
        ("12:00", "", "", True),
        ("12:00", "08:00", None, True),
        ("12:00", None, "20:00", True),
        ("08:00", "08:00", "20:00", True),
        ("19:59", "08:00", "20:00", True),
        ("20:00", "08:00", "20:00", False),
        ("07:59", "08:00", "20:00", False),
        ("23:59", "08:00", "24:00", True),
        ("00:00", "00:00", "24:00", True),
        ("22:00", "22:00", "06:00", True),
        ("23:59", "22:00", "06:00", True),
        ("00:00", "22:00", "06:00", True),
        ("05:59", "22:00", "06:00", True),
        ("06:00", "22:00", "06:00", False),
        ("12:00", "22:00", "06:00", False),
        ("12:00", "09:00", "09:00", True),  # no window at all rather than an empty one
    ],
)
def test_hours(now: str, start: str | None, end: str | None, reachable: bool) -> None:
    assert is_available(now, start, end) is reachable


@given(*[st.times().map(lambda t: t.strftime("%H:%M"))] * 3)
def test_a_window_and_its_complement(now: str, start: str, end: str) -> None:
    if start != end:
        assert is_available(now, start, end) is not is_available(now, end, start)


def test_a_phone_whose_calls_are_always_lost_is_given_up() -> None:
    legs = [_leg("a"), _leg("b")]
    dialled = 0
    while step := next_step(legs, CascadePolicy(parallel=1)).dial:
        (leg,) = [leg for leg in legs if leg.id == step[0]]
        _dial(leg)
        _end(leg, Outcome.LOST)
        dialled += 1
        assert dialled <= 2 * MAX_LOST
    assert dialled == 2 * MAX_LOST
    assert next_step(legs, CascadePolicy(parallel=1)).exhausted


@pytest.mark.parametrize(
    ("said", "by_agent", "attended", "waited_s", "found"),
    [
        (None, False, False, 0, Order.DIAL),  # the alarm itself starts it
        (None, True, False, 5, Order.HOLD),
        (None, True, False, 20, Order.DIAL),  # no agent has come: nobody is left alone
        (None, True, True, 500, Order.HOLD),  # an agent was there and did not ask for it
        (Family.STARTED, True, False, 0, Order.DIAL),
        (Family.CANCELLED, False, False, 0, Order.STOP),
        (Family.CANCELLED, True, False, 500, Order.STOP),
    ],
)
def test_who_starts_and_who_stops(
    said: Family | None, by_agent: bool, attended: bool, waited_s: float, found: Order
) -> None:
    policy = CascadePolicy(by_agent=by_agent)
    assert order(said, policy, attended=attended, waited_s=waited_s) is found


@given(family, policies, st.data())
def test_stopped_nobody_is_dialled_and_only_ringing_phones_are_hung_up(
    legs: list[LegView], policy: CascadePolicy, data: st.DataObject
) -> None:
    for leg in legs:
        if data.draw(st.booleans()):
            _dial(leg)
            leg.state = data.draw(st.sampled_from([LegState.DIALLED, LegState.RINGING, LegState.ANSWERED]))
    for may in (Order.STOP, Order.HOLD):
        step = next_step(legs, policy, may)
        assert step.dial == ()
        ringing = {leg.id for leg in legs if leg.live and leg.state in (LegState.DIALLED, LegState.RINGING)}
        assert set(step.cancel) == (ringing if may is Order.STOP else set())


def test_in_order_means_one_after_the_other() -> None:
    legs = [_leg("a", 1), _leg("b", 2)]
    step = next_step(legs, CascadePolicy(parallel=1))
    assert step.dial == ("a",)
    _dial(legs[0])
    assert next_step(legs, CascadePolicy(parallel=1)).dial == ()
    _end(legs[0], Outcome.BUSY)
    assert next_step(legs, CascadePolicy(parallel=1)).dial == ("b",)


def test_who_was_refused_by_the_network_rests_before_his_next_round() -> None:
    """A trunk that is away for a second must not use up the whole family within it."""
    now = datetime(2026, 11, 28, tzinfo=UTC)
    first, second = _leg("first"), _leg("second", 2)
    policy = CascadePolicy(1, 2)

    def refused(leg: LegView) -> None:
        _dial(leg)
        _end(leg, Outcome.FAILED)
        leg.ended_at = now

    assert next_step([first, second], policy, now=now).dial == ("first",)
    refused(first)
    assert next_step([first, second], policy, now=now).dial == ("second",), "his turn is not held up"
    _dial(second)
    _end(second, Outcome.BUSY)
    step = next_step([first, second], policy, now=now)
    assert (step.dial, step.exhausted) == (("second",), False), "of the same round"
    _dial(second)
    _end(second, Outcome.BUSY)
    step = next_step([first, second], policy, now=now)
    assert (step.dial, step.exhausted, step.look_again_s) == ((), False, policy.failed_rest_s)
    later = now + timedelta(seconds=policy.failed_rest_s)
    assert next_step([first, second], policy, now=later).dial == ("first",)
    refused(first)
    assert next_step([first, second], policy, now=later).exhausted


def test_nobody_s_next_round_overtakes_one_who_rests() -> None:
    now = datetime(2026, 11, 28, tzinfo=UTC)
    rests, ahead = _leg("rests"), _leg("ahead")
    _dial(rests)
    _end(rests, Outcome.FAILED)
    rests.ended_at = now
    ahead.attempts = 2
    assert next_step([rests, ahead], CascadePolicy(2, 3), now=now).dial == ()
