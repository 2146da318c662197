"""Wishes and offers inside the round: on record before the dial, and a fault there costs nobody else a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.domain.cascade import CascadePolicy
from ivr.domain.incident import IncidentView, LegState, LegView, Outcome, Role, Wish
from ivr.domain.offer import Candidate, Offer, OfferPolicy
from ivr.domain.staffing import StaffingPolicy
from ivr.domain.wishes import WishPolicy
from ivr.services import helper_round, incident_runner
from ivr.services.helper_round import HelperRound
from ivr.services.incident_runner import IncidentRunner, RunnerPolicy
from ivr.services.ports import StoreUnavailable
from tests.doubles.memory_store import MemoryIncidents, MemoryLegs
from tests.doubles.patience import until
from tests.doubles.pretend_telephony import PretendTelephony

POLICY = RunnerPolicy(CascadePolicy(2, 2), StaffingPolicy(no_seat_duty_after_s=99))
FAR = "02155520009"
ONE, TWO, DAUGHTER, SON = "13700000001", "13700000002", "13800000001", "13800000002"
CANDIDATES = (Candidate("W1", "甲", ONE), Candidate("W2", "乙", TWO))


class MemoryWishes:
    def __init__(self, story: list[str], legs: MemoryLegs) -> None:
        self.story, self.legs = story, legs
        self.offer: Offer | None = None
        self.ended: list[str] = []
        self.given_up: list[str] = []
        self.read = 0
        self.ever = False
        self.away = False
        self.takes_packages = False

    async def want(self, incident_id: str, role: Role, phone: str, **more: Any) -> None:
        self.story.append(f"want {phone}")
        leg = next((leg for leg in self.legs.legs if leg.phone == phone), None)
        if leg is None:
            leg = LegView(f"L-{phone}", role, phone, 0, LegState.WAITING, 0)
            self.legs.legs.append(leg)
        leg.wish = leg.wish or Wish(datetime.now(UTC), more.get("offer_id"))

    async def want_helper(self, incident_id: str, *, by: str, skill: str | None = None) -> bool:
        self.story.append(f"offer by {by}")
        self.offer, self.ever = Offer("O1", datetime.now(UTC)), True
        return True

    async def was_offered(self, incident_id: str) -> bool:
        return self.ever

    async def offer_of(self, incident_id: str) -> Offer | None:
        if self.away:
            raise StoreUnavailable
        return self.offer

    async def candidates(self, incident_id: str, skill: str | None) -> Sequence[Candidate]:
        self.read += 1
        return CANDIDATES

    async def hospital_for(
        self, incident_id: str, *, contracted: bool, without: frozenset[str] = frozenset()
    ) -> tuple[str, str] | None:
        there = [("本区医院", "02155520001")] if contracted else [("本区医院", "02155520001"), ("外区医院", FAR)]
        return next((one for one in there if one[1] not in without), None)

    async def tell_ambulance(self, incident_id: str) -> bool:
        self.story.append("package to 120")
        return self.takes_packages

    async def end_offer(self, offer_id: str, outcome: str) -> None:
        self.ended.append(outcome)
        self.offer = None

    async def failed(self, incident_id: str, leg_id: str) -> None:
        self.given_up.append(leg_id)


class Scene:
    def __init__(self, *legs: LegView, always: bool = False) -> None:
        self.story: list[str] = []
        self.incidents = incidents = MemoryIncidents(self.story)
        incidents.open = ["I1"]
        self.legs = MemoryLegs(self.story, *legs)
        self.wishes = MemoryWishes(self.story, self.legs)
        self.telephony = PretendTelephony(self.story)
        helpers = HelperRound(self.wishes, OfferPolicy(), always=always, policy=WishPolicy(pause_s=0.05))
        self.runner = IncidentRunner(incidents, self.legs, self.telephony, POLICY, helpers=helpers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.runner.run())
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def dialled(self) -> list[str]:
        return [phone for _, phone, _, _ in self.telephony.dialled]

    async def ends(self, phone: str, outcome: Outcome) -> None:
        leg = self.legs.leg(phone)
        assert leg.wish is not None
        leg.wish = replace(leg.wish, attempts=leg.wish.attempts + 1)
        await self.legs.ended(leg.attempt_id or "", outcome)
        self.runner.wake("I1")


def wanted(phone: str, role: Role = Role.HOSPITAL) -> LegView:
    return LegView(f"L-{phone}", role, phone, 0, LegState.WAITING, 0, wish=Wish(datetime.now(UTC)))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_runner, "AFTER_FAULT_S", 0.05)
    monkeypatch.setattr(helper_round, "AFTER_FAULT_S", 0.05)


async def test_a_wish_that_is_on_record_is_dialled_and_again_twice_and_given_up_once() -> None:
    scene = Scene(wanted("02155520001"))
    async with scene.running():
        for tries in (1, 2, 3):
            await until(lambda tries=tries: len(scene.dialled) == tries)
            await scene.ends("02155520001", Outcome.BUSY)
        await until(lambda: scene.wishes.given_up)
        for _ in range(3):
            scene.runner.wake("I1")
            await asyncio.sleep(0.05)
    assert len(scene.dialled) == 3
    assert scene.wishes.given_up == ["L-02155520001"]
    assert {ring_s for _, _, _, ring_s in scene.telephony.dialled} == {POLICY.helper_ring_s}


async def test_an_offer_is_on_record_before_the_worker_is_rung_and_the_next_comes_after_a_no() -> None:
    scene = Scene()
    scene.wishes.offer = Offer("O1", datetime.now(UTC))
    async with scene.running():
        await until(lambda: scene.dialled == [ONE])
        read = scene.wishes.read
        scene.runner.wake("I1")
        await asyncio.sleep(0.1)
        assert scene.wishes.read == read, "nobody reads a thousand workers while one is asked"
        await scene.ends(ONE, Outcome.DECLINED)
        await until(lambda: scene.dialled == [ONE, TWO])
        leg = scene.legs.leg(TWO)
        assert leg.wish is not None
        leg.wish = replace(leg.wish, attempts=1, last_accepted=datetime.now(UTC))
        leg.state = LegState.ACCEPTED
        scene.runner.wake("I1")
        await until(lambda: scene.wishes.ended == ["accepted"])
    story = scene.story
    assert (
        story.index(f"want {ONE}")
        < story.index(f"attempt {ONE}")
        < story.index(f"dial {scene.legs.leg(ONE).attempt_id}")
    )


async def test_a_wish_left_behind_by_a_dead_engine_is_asked_again_by_the_next() -> None:
    leg = wanted(ONE, Role.WORKER)
    leg.wish = Wish(datetime.now(UTC), "O1")  # wanted for the offer, and killed before the dial
    scene = Scene(leg)
    scene.wishes.offer = Offer("O1", datetime.now(UTC))
    async with scene.running():
        await until(lambda: scene.dialled == [ONE])


async def test_nobody_is_offered_anything_unless_somebody_asked_or_the_policy_is_always() -> None:
    scene, ever = Scene(), Scene(always=True)
    async with scene.running(), ever.running():
        await until(lambda: ever.dialled == [ONE])
        await asyncio.sleep(0.1)
    assert scene.dialled == []
    assert ever.story.count("offer by policy") == 1
    ever.wishes.offer = None
    again = Scene(always=True)
    again.wishes.ever = True  # a restart: it was offered before
    async with again.running():
        await asyncio.sleep(0.2)
    assert again.dialled == []


async def test_a_fault_among_the_wishes_costs_the_family_nothing_and_is_looked_at_again() -> None:
    family = [
        LegView(f"L-{phone}", Role.FAMILY, phone, n, LegState.WAITING, 0) for n, phone in enumerate((DAUGHTER, SON))
    ]
    scene = Scene(*family)
    scene.wishes.away = True
    scene.wishes.offer = Offer("O1", datetime.now(UTC))
    async with scene.running():
        await until(lambda: {DAUGHTER, SON} <= set(scene.dialled))
        scene.wishes.away = False
        await until(lambda: ONE in scene.dialled)


async def test_the_cascade_does_not_stop_a_relative_whom_a_person_wants() -> None:
    legs = [
        LegView(f"L-{phone}", Role.FAMILY, phone, n, LegState.WAITING, 0) for n, phone in enumerate((DAUGHTER, SON))
    ]
    scene = Scene(*legs)
    async with scene.running():
        await until(lambda: len(scene.dialled) == 2)
        scene.legs.leg(SON).wish = Wish(datetime.now(UTC))
        came = scene.legs.leg(DAUGHTER)
        came.state, came.ever_accepted = LegState.ACCEPTED, True
        scene.runner.wake("I1")
        await asyncio.sleep(0.2)
        assert scene.telephony.hung_up == []
        scene.legs.leg(SON).wish = None
        scene.runner.wake("I1")
        await until(lambda: scene.telephony.hung_up == [scene.legs.leg(SON).attempt_id])


async def test_a_number_that_is_no_number_is_given_up_and_never_dialled() -> None:
    scene = Scene(wanted("500&PJSIP/1001@trunk"), wanted(""))
    async with scene.running():
        await until(lambda: len(scene.wishes.given_up) == 2)
    assert scene.dialled == []


async def test_when_two_workers_have_had_their_time_a_person_is_told_once() -> None:
    scene = Scene()
    scene.wishes.offer = Offer("O1", datetime.now(UTC) - timedelta(seconds=119.5))
    async with scene.running():
        await until(lambda: ONE in scene.dialled)
        assert scene.incidents.escalations == []
        await until(lambda: scene.incidents.escalations, within=3)
        assert set(scene.incidents.escalations) == {("I1", "worker_late")}


@pytest.mark.parametrize(("ambulance", "then"), [("02155500120", ["02155500120"]), ("", [FAR])])
async def test_when_nobody_can_be_had_the_districts_hospital_then_120_each_once(
    ambulance: str, then: list[str]
) -> None:
    scene = Scene()
    helpers = HelperRound(scene.wishes, OfferPolicy(), ambulance=ambulance)
    asked: list[str] = []
    for _ in range(3):
        view = IncidentView("I1", datetime.now(UTC), False, None, scene.legs.legs)
        if await helpers.hospital(view):
            leg = scene.legs.legs[-1]
            leg.attempts, leg.state, leg.outcome = 1, LegState.ENDED, Outcome.DECLINED
            asked.append(leg.phone)
    assert asked == ["02155520001", *then]


@pytest.mark.parametrize("takes_packages", [True, False])
async def test_120_without_a_number_is_sent_the_package_once_no_hospital_of_the_district_can_be_had(
    takes_packages: bool,
) -> None:
    scene = Scene()
    scene.wishes.takes_packages = takes_packages
    helpers = HelperRound(scene.wishes, OfferPolicy())
    view = IncidentView("I1", datetime.now(UTC), False, None)
    assert await helpers.hospital(view)
    assert "package to 120" not in scene.story, "the hospital of the district first"
    for phone in ("02155520001", FAR):
        view.legs.append(LegView(f"L-{phone}", Role.HOSPITAL, phone, 0, LegState.ENDED, 3))
    assert await helpers.hospital(view) is takes_packages
    assert scene.story[-1] == "package to 120"
    with_number = HelperRound(scene.wishes, OfferPolicy(), ambulance="120")
    view.legs.append(LegView("L-120", Role.HOSPITAL, "120", 0, LegState.ENDED, 3))
    assert not await with_number.hospital(view)
    assert scene.story.count("package to 120") == 1, "its package goes with its leg"
