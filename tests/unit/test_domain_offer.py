"""Workers asked one after the other: a small world is played through, whatever people do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.domain import offer as offering
from ivr.domain import wishes as wishing
from ivr.domain.incident import LegState, LegView, Outcome, Role, Wish
from ivr.domain.offer import Candidate, Offer, OfferPolicy
from ivr.domain.wishes import Fate, WishPolicy

T0 = datetime(2026, 11, 22, tzinfo=UTC)
OFFER = Offer("O1", T0)
POLICY = OfferPolicy()
FATES = (
    Outcome.BUSY,
    Outcome.NO_ANSWER,
    Outcome.DECLINED,
    Outcome.NOT_CONFIRMED,
    Outcome.LOST,
    None,
    "yes",
    "yes late",
)
"""None: rings for ever. "yes late": answers, and says yes only after two minutes."""


class World:
    """Each worker has a list of fates, one a call; the last holds for all later calls."""

    def __init__(self, fates: list[list[Outcome | str | None]]) -> None:
        self.fates = fates
        self.ranking = [Candidate(f"W{n}", "护理员", f"1370000{n:04d}") for n in range(len(fates))]
        self.legs: dict[str, LegView] = {}
        self.now = T0
        self.dialled: list[str] = []
        self.ends: dict[str, tuple[datetime, Outcome | str]] = {}
        self.taken: list[str] = []
        self.over: str | None = None

    def step(self) -> float | None:
        self._happen()
        step = offering.next_step(OFFER, list(self.legs.values()), self.ranking, POLICY, self.now)
        for leg_id in step.cancel:
            self._end(leg_id, Outcome.CANCELLED)
        if step.ask is not None:
            self._dial(step.ask)
        if step.accepted and not step.cancel:
            self.over = "accepted"
        if step.exhausted:
            self.over = "exhausted"
        return step.look_again_s

    def _dial(self, one: Candidate) -> None:
        place = self.ranking.index(one)
        before = self.legs.get(one.phone)
        wish = before.wish if before and before.wish else Wish(self.now, OFFER.id)
        calls = self.dialled.count(one.phone)
        fate = self.fates[place][min(calls, len(self.fates[place]) - 1)]
        self.dialled.append(one.phone)
        assert before is None or not before.live, "one call at a time to one phone"
        self.legs[one.phone] = LegView(
            one.phone, Role.WORKER, one.phone, 0, LegState.RINGING, calls + 1, live=True, dialled_at=self.now,
            wish=replace(wish, attempts=wish.attempts + 1),
        )  # fmt: skip
        if fate == "yes late":
            self.legs[one.phone].state = LegState.ANSWERED
            self.ends[one.phone] = (self.now + timedelta(seconds=120), "yes")
        elif fate is not None:
            self.ends[one.phone] = (self.now + timedelta(seconds=20), fate)

    def _happen(self) -> None:
        for phone, (at, fate) in list(self.ends.items()):
            leg = self.legs[phone]
            if at > self.now or not leg.live:
                continue
            if fate != "yes":
                assert isinstance(fate, Outcome)
                self._end(phone, fate)
            elif any(offering.came(one, OFFER) for one in self.legs.values()):
                self._end(phone, Outcome.CANCELLED)  # as the store decides: a colleague was first
            else:
                assert leg.wish is not None
                leg.state, leg.accepted_at = LegState.ACCEPTED, self.now
                leg.wish = replace(leg.wish, last_accepted=self.now)
                self.taken.append(phone)
            self.ends.pop(phone, None)

    def _end(self, phone: str, outcome: Outcome) -> None:
        leg = self.legs[phone]
        leg.live, leg.state, leg.outcome, leg.ended_at = False, LegState.ENDED, outcome, self.now
        assert leg.wish is not None
        if outcome is Outcome.LOST:
            leg.wish = replace(leg.wish, attempts=leg.wish.attempts - 1, lost=leg.wish.lost + 1)
        self.ends.pop(phone, None)

    def play(self, seconds: int = 3600) -> None:
        for _ in range(seconds):
            self.step()
            if self.over:
                return
            self.now += timedelta(seconds=1)


worlds = st.lists(st.lists(st.sampled_from(FATES), min_size=1, max_size=4), max_size=6)


@settings(max_examples=150, deadline=None)
@given(worlds)
def test_it_ends_and_at_most_one_has_accepted(fates: list[list[Outcome | str | None]]) -> None:
    world = World(fates)
    world.play()
    assert world.over is not None, "an offer that never ends is an elder nobody comes to"
    assert len(world.taken) <= 1
    assert (world.over == "accepted") == bool(world.taken)
    for phone in {*world.dialled}:
        asked = world.dialled.count(phone)
        fate_list = world.fates[int(phone[-4:])]
        if Outcome.DECLINED in fate_list[:1]:
            assert asked == 1, "who has said no is not asked again"
        assert asked <= POLICY.rounds + offering.MAX_LOST


@settings(max_examples=100, deadline=None)
@given(worlds)
def test_everybody_is_asked_once_before_anybody_twice_and_in_the_order_of_the_ranking(
    fates: list[list[Outcome | str | None]],
) -> None:
    world = World(fates)
    world.play()
    firsts = list(dict.fromkeys(world.dialled))
    assert firsts == [one.phone for one in world.ranking[: len(firsts)]]
    if world.over == "exhausted":
        assert len(firsts) == len(world.ranking), "given up only when all were asked"
    repeated = next((at for at, phone in enumerate(world.dialled) if phone in world.dialled[:at]), None)
    lost = any(Outcome.LOST in some for some in fates)
    if repeated is not None and not lost:  # a call of which nothing is known counts as not made
        assert repeated >= len(firsts)


def test_the_next_is_rung_after_a_minute_and_the_phone_that_rings_is_stopped() -> None:
    world = World([[None], ["yes"]])
    world.step()
    assert len(world.dialled) == 1
    world.now += timedelta(seconds=59)
    assert world.step() == pytest.approx(1)
    assert len(world.dialled) == 1
    world.now += timedelta(seconds=1)
    world.step()
    assert len(world.dialled) == 2
    assert not world.legs[world.dialled[0]].live


def test_who_has_answered_may_still_decide_when_the_next_is_rung() -> None:
    world = World([["yes late"], [None]])
    world.step()
    world.now += timedelta(seconds=60)
    world.step()
    assert world.legs[world.dialled[0]].live
    assert len(world.dialled) == 2
    world.now += timedelta(seconds=60)
    world.step()
    assert world.taken == [world.dialled[0]]
    assert not world.legs[world.dialled[1]].live, "the other rang only"


def test_a_worker_whom_a_person_wanted_and_who_accepted_ends_the_offer() -> None:
    wish = Wish(T0, None, attempts=1, last_accepted=T0 + timedelta(seconds=5))
    leg = LegView("L", Role.WORKER, "13700009999", 0, LegState.ACCEPTED, 1, live=True, wish=wish)
    step = offering.next_step(OFFER, [leg], [Candidate("W1", "x", "13700000001")], POLICY, T0 + timedelta(seconds=9))
    assert step.accepted
    assert step.ask is None
    before = replace(leg, wish=replace(wish, last_accepted=T0 - timedelta(seconds=5)))
    step = offering.next_step(OFFER, [before], [Candidate("W1", "x", "13700000001")], POLICY, T0)
    assert step.ask is not None, "who came for an earlier cry is not counted"


def test_without_anybody_to_ask_it_is_given_up_at_once_and_the_ranking_is_read_only_when_needed() -> None:
    assert offering.next_step(OFFER, [], [], POLICY, T0).exhausted
    assert offering.next_step(OFFER, [], None, POLICY, T0).needs_ranking


# ---- a person's wish


def wished(**change: object) -> LegView:
    leg = LegView("L", Role.HOSPITAL, "02155520001", 0, LegState.WAITING, 0, wish=Wish(T0))
    return replace(leg, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("leg", "dialled"),
    [
        (wished(), True),
        (wished(live=True, state=LegState.RINGING), False),
        (wished(wish=Wish(T0, "O1")), False),  # the offer's
        (wished(wish=None), False),
        (wished(wish=Wish(T0, attempts=1), ended_at=T0, outcome=Outcome.BUSY), False),  # in a moment
        (wished(wish=Wish(T0, attempts=1), ended_at=T0 - timedelta(seconds=9), outcome=Outcome.BUSY), True),
        (wished(wish=Wish(T0, attempts=0, lost=1), ended_at=T0, outcome=Outcome.LOST), True),
        (wished(wish=Wish(T0, attempts=3), ended_at=T0 - timedelta(seconds=99), outcome=Outcome.BUSY), False),
        (wished(wish=Wish(T0, attempts=1), ended_at=T0 - timedelta(seconds=99), outcome=Outcome.DECLINED), False),
        (wished(ended_at=T0 - timedelta(seconds=99), outcome=Outcome.DECLINED), True),  # his no of before this wish
        (wished(wish=Wish(T0, attempts=1, last_accepted=T0), ended_at=T0, outcome=Outcome.TALKED), False),
        (wished(wish=Wish(T0, attempts=0, lost=5)), False),
    ],
)
def test_a_wish_is_dialled_again_twice_and_not_after_a_no(leg: LegView, dialled: bool) -> None:
    step = wishing.next_step([leg], WishPolicy(), T0)
    assert (step.dial == ("L",)) is dialled
    assert not (step.dial and step.failed)


def test_a_wish_that_failed_says_so_and_one_that_rests_says_when() -> None:
    assert wishing.next_step([wished(wish=Wish(T0, attempts=3), outcome=Outcome.BUSY)], WishPolicy(), T0).failed == (
        "L",
    )
    resting = wished(wish=Wish(T0, attempts=1), ended_at=T0, outcome=Outcome.NO_ANSWER)
    assert wishing.next_step([resting], WishPolicy(pause_s=8), T0).look_again_s == 8
    assert wishing.fate(resting, 3) is Fate.OPEN
    assert wishing.is_wanted(resting, WishPolicy())
    assert not wishing.is_wanted(replace(resting, wish=None), WishPolicy())
