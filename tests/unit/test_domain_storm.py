"""The rules of a storm, to the corners."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ivr.domain import storm
from ivr.domain.storm import Candidate, Lines, Pressure, StormPolicy, Triage

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
POLICIES = st.builds(
    StormPolicy,
    ports=st.integers(2, 400),
    reserved_share=st.floats(0, 0.9),
    tries=st.integers(1, 4),
    seats_each=st.integers(1, 4),
)
COUNTS = st.integers(0, 500)
KINDS = st.sampled_from(["fall", "press", "inactivity", "location", "cancel", "emergency_call", "unheard-of"])
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        id=st.uuids().map(str),
        worst=st.integers(0, 9),
        opened_at=st.integers(0, 3600).map(lambda s: NOW - timedelta(seconds=s)),
        tries=st.integers(0, 3),
        last_try_at=st.none() | st.integers(0, 120).map(lambda s: NOW - timedelta(seconds=s)),
    ),
    max_size=40,
    unique_by=lambda one: one.id,
)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, POLICIES)
def test_never_more_calls_than_the_lines_that_are_not_reserved(
    asking: int, family: int, others: int, want_ask: int, want_family: int, policy: StormPolicy
) -> None:
    share = storm.share_out(Lines(asking, family, others), want_ask, want_family, policy)
    assert 0 <= share.ask <= want_ask
    assert 0 <= share.family <= want_family
    if share.ask or share.family:
        assert asking + family + others + share.ask + share.family <= policy.ports * (1 - policy.reserved_share) + 1e-6


@given(COUNTS, COUNTS, POLICIES)
def test_a_free_line_is_used_when_anybody_wants_it(want_ask: int, want_family: int, policy: StormPolicy) -> None:
    share = storm.share_out(Lines(0, 0, 0), want_ask, want_family, policy)
    assert share.ask + share.family == min(storm.paced(policy), want_ask + want_family)


@given(st.integers(1, 500), st.integers(1, 500))
def test_neither_asking_nor_the_families_of_those_in_need_starve(want_ask: int, want_family: int) -> None:
    """Lines come free one by one; whoever wants them, both have some in the end."""
    policy = StormPolicy(ports=60, reserved_share=0.3)
    asking = family = 0
    for _ in range(storm.paced(policy)):
        share = storm.share_out(Lines(asking, family, 0), max(0, want_ask - asking), want_family - family, policy)
        if not share.ask and not share.family:
            break
        asking, family = asking + share.ask, family + share.family
    assert asking >= min(want_ask, storm.paced(policy) - storm.paced(policy) // 3)
    assert family >= min(want_family, storm.paced(policy) // 3)


@given(KINDS, KINDS, st.booleans(), st.booleans())
def test_safe_is_never_ahead_of_silent_or_need(safe: str, other: str, safe_called: bool, telephoned: bool) -> None:
    behind = storm.risk(Triage.SAFE, storm.severity(safe), telephoned=safe_called)
    for triage in (Triage.HELP, Triage.SILENT, Triage.NO_ANSWER, Triage.PENDING, Triage.CALLING, None):
        assert storm.risk(triage, storm.severity(other), telephoned=telephoned) > behind


@given(KINDS, KINDS)
def test_need_before_silence_before_not_reached_before_not_asked(one: str, other: str) -> None:
    order = [Triage.HELP, Triage.SILENT, Triage.NO_ANSWER, Triage.PENDING]
    for before, after in pairwise(order):
        assert storm.risk(before, storm.severity(one), telephoned=False) > storm.risk(
            after, storm.severity(other), telephoned=False
        )


@given(KINDS, KINDS)
def test_a_new_caller_on_the_line_is_first_of_all(kind: str, other: str) -> None:
    caller = storm.rank(
        storm.risk(None, storm.severity(kind), telephoned=True), on_the_line=True, called_us=True
    )  # fmt: skip
    for triage in Triage:
        held = storm.risk(triage, storm.severity(other), telephoned=False)
        assert caller > storm.rank(held, on_the_line=True, called_us=False)


@given(CANDIDATES, st.integers(-1, 60), POLICIES)
def test_whom_to_ask_next(candidates: list[Candidate], free: int, policy: StormPolicy) -> None:
    asked = storm.next_calls(candidates, free, NOW, policy)
    by_id = {one.id: one for one in candidates}
    assert len(asked) == len(set(asked)) <= max(0, free)
    tries = [by_id[one].tries for one in asked]
    assert tries == sorted(tries), "everybody once before anybody twice"
    for one in asked:
        assert by_id[one].tries < policy.tries
        last = by_id[one].last_try_at
        assert last is None or (NOW - last).total_seconds() >= policy.again_s


@given(CANDIDATES, st.integers(0, 9))
def test_a_stream_of_graver_alarms_starves_nobody(graver: list[Candidate], worst: int) -> None:
    """Whoever has waited ninety seconds longer than any other is the next, however grave theirs are."""
    policy = StormPolicy(tries=4, again_s=0)
    fresh = [
        Candidate(one.id, 9, NOW - timedelta(seconds=5), one.tries, None) for one in graver
    ]  # fmt: skip
    old = Candidate("old", worst, NOW - timedelta(seconds=100), 0, None)
    assert storm.next_calls([*fresh, old], 1, NOW, policy) == ["old"]


def test_of_two_who_came_together_the_graver_is_asked_first() -> None:
    mild = Candidate("a", storm.severity("inactivity"), NOW, 0)
    grave = Candidate("b", storm.severity("fall"), NOW, 0)
    assert storm.next_calls([mild, grave], 1, NOW, StormPolicy()) == ["b"]


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.lists(st.sampled_from("123456789"), unique=True),
    st.dictionaries(st.sampled_from("123456789"), st.sampled_from("abcdefgh")),
    st.integers(1, 3),
)
def test_seats_go_in_order_of_risk(ranked: list[str], idle: list[str], promised: dict[str, str], each: int) -> None:
    given_out = storm.assign_seats(ranked, idle, promised, each)
    assert set(given_out) <= set(idle) - set(promised)
    assert set(given_out.values()) <= set(ranked)
    count = {one: sum(1 for i in [*given_out.values(), *promised.values()] if i == one) for one in ranked}
    if len(ranked) > 1:
        for one in set(given_out.values()):
            assert count[one] <= each
    for place, one in enumerate(ranked):
        for later in ranked[place + 1 :]:
            if later in given_out.values():
                assert count[one] >= min(each, count[later]), "nobody later has more than one before him"
    if not given_out and ranked:
        assert not set(idle) - set(promised) or all(count[one] >= each for one in ranked)


def test_one_incident_alone_has_every_seat() -> None:
    assert storm.assign_seats(["a"], ["1", "2", "3"], {}, 2) == {"1": "a", "2": "a", "3": "a"}
    assert storm.assign_seats(["a"], ["1"], {"2": "a"}, 2) == {"1": "a"}, "one more is idle while others ring already"


@given(st.booleans(), COUNTS, st.integers(0, 50), COUNTS)
def test_a_persons_word_goes_before_the_numbers(now: bool, waiting: int, seats: int, rate: int) -> None:
    pressure = Pressure(waiting, seats, rate)
    assert storm.is_storm(now, True, pressure, StormPolicy()) is True
    assert storm.is_storm(now, False, pressure, StormPolicy()) is False


@given(COUNTS, st.integers(0, 50), COUNTS, st.integers(0, 99), st.integers(1, 20), st.integers(2, 200))
def test_a_storm_does_not_flicker(waiting: int, seats: int, rate: int, lines: int, per_seat: int, per_min: int) -> None:
    """What begins a storm does not end it at once."""
    policy = StormPolicy(waiting_per_seat=per_seat, alarms_per_min=per_min)
    pressure = Pressure(waiting, seats, rate, lines)
    if storm.is_storm(False, None, pressure, policy):
        assert storm.is_storm(True, None, pressure, policy)


def test_when_it_begins_and_ends() -> None:
    policy = StormPolicy(waiting_per_seat=5, alarms_per_min=60)
    assert not storm.is_storm(False, None, Pressure(75, 15, 59), policy)
    assert storm.is_storm(False, None, Pressure(76, 15, 0), policy)
    assert storm.is_storm(False, None, Pressure(0, 15, 60), policy)
    assert storm.is_storm(False, None, Pressure(6, 0, 0), policy), "a centre without seats has them counted as one"
    assert not storm.is_storm(True, None, Pressure(15, 15, 30), policy)


def test_lines_that_are_taken_begin_it_when_more_wait_than_seats() -> None:
    policy = StormPolicy(ports=60, reserved_share=0.3)
    assert storm.is_storm(False, None, Pressure(16, 15, 20, lines=42), policy)
    assert not storm.is_storm(False, None, Pressure(16, 15, 20, lines=41), policy)
    assert not storm.is_storm(False, None, Pressure(15, 15, 20, lines=60), policy), "every one of them has a seat"


def test_what_a_call_without_an_answer_means() -> None:
    policy = StormPolicy(tries=2)

    def settle(ended: bool, answered: bool, counts: bool, tries: int, answered_for_s: float = 0) -> Triage | None:
        return storm.settle(storm.CallEnd(ended, answered, counts, tries, answered_for_s), policy)

    assert settle(False, False, True, 1) is None
    assert settle(False, True, True, 1, 10) is None
    assert settle(False, True, True, 1, 61) is Triage.SILENT, "the engine was away, and he is still on the line"
    assert settle(True, True, True, 1) is Triage.SILENT, "picked up and hung up without a word"
    assert settle(True, False, True, 1) is Triage.PENDING
    assert settle(True, False, True, 2) is Triage.NO_ANSWER
    assert settle(True, False, False, 2) is Triage.PENDING, "a call that was lost is no try"
