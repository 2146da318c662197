"""The incident runner, with its ports in memory: it carries on whatever fails around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ivr.domain.cascade import CascadePolicy
from ivr.domain.incident import NOT_HIS, LegState, LegView, Outcome, Role
from ivr.domain.staffing import StaffingPolicy
from ivr.services import incident_runner
from ivr.services.incident_runner import IncidentRunner, RunnerPolicy
from ivr.services.ports import BusyWith, DialDoubtful, DialRefused, StoreUnavailable
from tests.doubles.memory_store import MemoryCalls, MemoryIncidents, MemoryLegs
from tests.doubles.patience import until
from tests.doubles.pretend_telephony import PretendTelephony

DUTY = "13700000000"
POLICY = RunnerPolicy(CascadePolicy(2, 2), StaffingPolicy(no_seat_duty_after_s=0.3), duty_phone=DUTY)
FAMILY = ("13800000001", "13800000002", "13800000003")


def relative(phone: str, priority: int = 1) -> LegView:
    return LegView(f"L-{phone}", Role.FAMILY, phone, priority, LegState.WAITING, 0)


class Scene:
    """One open incident `I1` with this family, and its runner."""

    def __init__(self, *family: str, policy: RunnerPolicy = POLICY, **seats: str) -> None:
        self.story: list[str] = []
        self.incidents = MemoryIncidents(self.story)
        self.incidents.open = ["I1"]
        self.legs = MemoryLegs(self.story, *(relative(phone, n) for n, phone in enumerate(family, 1)))
        self.telephony = PretendTelephony(self.story, **seats)
        self.runner = IncidentRunner(self.incidents, self.legs, self.telephony, policy)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.runner.run())
        try:
            yield
            assert not task.done(), "the runner itself never ends"
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def dialled(self) -> list[str]:
        return [phone for _, phone, _, _ in self.telephony.dialled]

    def wake(self) -> None:
        self.runner.wake("I1")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_runner, "AFTER_FAULT_S", 0.05)


async def test_seats_and_two_of_the_family_are_dialled_at_once_and_on_record_before() -> None:
    scene = Scene(*FAMILY, seat1001="李娜", seat1002="赵敏")
    async with scene.running():
        await until(lambda: len(scene.dialled) == 4)
    assert set(scene.dialled) == {"1001", "1002", *FAMILY[:2]}
    for role, phone, room, ring_s in scene.telephony.dialled:
        assert room == "I1"
        assert ring_s == (POLICY.agent_ring_s if role is Role.AGENT else POLICY.family_ring_s)
        attempt = scene.legs.leg(phone).attempt_id
        assert scene.story.index(f"attempt {phone}") < scene.story.index(f"dial {attempt}")


async def test_a_round_that_raises_is_followed_by_another() -> None:
    scene = Scene(FAMILY[0], seat1001="李娜")
    scene.legs.fail_rounds = [StoreUnavailable(), ZeroDivisionError(), KeyError("x")]
    async with scene.running():
        await until(lambda: len(scene.dialled) == 2)
    assert scene.legs.rounds >= 4


async def test_one_incident_that_fails_for_ever_holds_no_other_up() -> None:
    scene = Scene(FAMILY[0], seat1001="李娜")
    scene.incidents.open = ["broken", "I1"]
    view = scene.legs.view

    async def only_one(incident_id: str, now: object) -> object:
        if incident_id == "broken":
            raise ZeroDivisionError
        return await view(incident_id, now)  # type: ignore[arg-type]

    scene.legs.view = only_one  # type: ignore[assignment]
    async with scene.running():
        await until(lambda: len(scene.dialled) == 2)


async def test_a_database_that_is_away_at_the_start_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_runner, "AUDIT_S", 0.1)
    scene = Scene(FAMILY[0])
    scene.incidents.away = True
    async with scene.running():
        await asyncio.sleep(0.2)
        assert scene.dialled == []
        scene.incidents.away = False
        await until(lambda: scene.dialled)


async def test_without_asterisk_nothing_is_put_on_record_and_with_it_all_is_dialled() -> None:
    scene = Scene(*FAMILY, seat1001="李娜")
    scene.telephony.up = False
    async with scene.running():
        await asyncio.sleep(0.3)
        assert scene.story == [], "an attempt that nobody could make does not count"
        scene.telephony.up = True
        await until(lambda: len(scene.dialled) == 3)


async def test_a_dial_that_asterisk_refuses_is_over_and_the_next_of_the_family_is_dialled() -> None:
    scene = Scene(*FAMILY)
    scene.telephony.refuse = {FAMILY[0]: DialRefused("Extension does not exist.")}
    async with scene.running():
        await until(lambda: FAMILY[1] in scene.dialled)
        assert scene.legs.leg(FAMILY[0]).outcome is Outcome.FAILED
        scene.wake()  # as the journal does when a leg ends
        await until(lambda: FAMILY[2] in scene.dialled)


async def test_a_dial_refused_because_the_link_was_lost_was_not_made_and_is_made_again() -> None:
    scene = Scene(FAMILY[0])
    scene.telephony.refuse = {FAMILY[0]: DialRefused("the manager interface is away")}
    scene.telephony.down_on_refusal = True
    async with scene.running():
        await until(lambda: scene.legs.legs[0].outcome is Outcome.LOST)
        scene.telephony.up = True
        scene.wake()
        await until(lambda: scene.dialled == [FAMILY[0]])


async def test_a_dial_in_doubt_stays_on_record_as_made_and_is_not_made_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scene = Scene(FAMILY[0])
    scene.telephony.refuse = {FAMILY[0]: DialDoubtful("no answer to Originate")}
    async with scene.running():
        await until(lambda: scene.legs.leg(FAMILY[0]).live)
        for _ in range(3):
            scene.wake()
            await asyncio.sleep(0.05)
        assert scene.dialled == []
        assert "a round failed" not in caplog.text, "doubt is no fault"
        # Reconciliation finds no such channel: now it is known to be lost.
        attempt = scene.legs.leg(FAMILY[0]).attempt_id
        assert attempt is not None
        await scene.legs.ended(attempt, Outcome.LOST)
        scene.wake()
        await until(lambda: scene.dialled == [FAMILY[0]])


async def test_one_dial_that_fails_unforeseen_takes_no_other_dial_with_it() -> None:
    """The others may be on record already: stopped there, they would be calls that nobody makes."""
    scene = Scene(*FAMILY[:2], seat1001="李娜")
    scene.legs.commit_s = 0.05
    begin = scene.legs.begin_attempt

    async def begin_attempt(incident_id: str, role: Role, phone: str, **more: object) -> str | None:
        if phone == FAMILY[0]:
            raise StoreUnavailable
        return await begin(incident_id, role, phone)

    scene.legs.begin_attempt = begin_attempt  # type: ignore[method-assign]
    async with scene.running():
        await until(lambda: {"1001", FAMILY[1]} <= set(scene.dialled), within=2)
        assert sorted(line for line in scene.story if line.startswith("attempt")) == [
            "attempt 1001",
            f"attempt {FAMILY[1]}",
        ]


async def test_a_close_stops_the_phones_that_merely_ring_and_leaves_who_talks() -> None:
    scene = Scene(*FAMILY[:2], seat1001="李娜")
    async with scene.running():
        await until(lambda: len(scene.dialled) == 3)
        talking, ringing = scene.legs.leg("1001"), scene.legs.leg(FAMILY[0])
        talking.state = LegState.ACCEPTED
        ringing.state = LegState.RINGING
        scene.legs.closed = True
        scene.wake()
        await until(lambda: len(scene.telephony.hung_up) == 2)
        assert set(scene.telephony.hung_up) == {ringing.attempt_id, scene.legs.leg(FAMILY[1]).attempt_id}
        assert scene.story.index(f"mark {ringing.attempt_id} cancelled") < scene.story.index(
            f"hang up {ringing.attempt_id}"
        ), "on record why, before the channel ends"
        rounds = scene.legs.rounds
        scene.wake()
        await asyncio.sleep(0.1)
        assert scene.legs.rounds <= rounds + 1, "a closed incident is not attended any more"
    assert len(scene.dialled) == 3


async def test_an_incident_that_is_gone_is_let_go() -> None:
    scene = Scene(FAMILY[0])
    scene.legs.known = False
    async with scene.running():
        await until(lambda: scene.legs.rounds)
        await asyncio.sleep(0.1)
        assert scene.legs.rounds == 1


async def test_with_no_seat_the_duty_phone_is_rung_and_the_screen_is_told() -> None:
    scene = Scene()
    async with scene.running():
        await until(lambda: scene.dialled == [DUTY], within=3)
        await until(lambda: ("I1", "duty_phone") in scene.incidents.escalations)


async def test_a_family_that_cannot_be_reached_is_told_to_the_screen_once() -> None:
    scene = Scene(FAMILY[0], policy=RunnerPolicy(CascadePolicy(2, 1), StaffingPolicy()))
    async with scene.running():
        await until(lambda: scene.dialled == [FAMILY[0]])
        attempt = scene.legs.leg(FAMILY[0]).attempt_id
        assert attempt is not None
        await scene.legs.ended(attempt, Outcome.BUSY)
        scene.wake()
        await until(lambda: scene.incidents.escalations == [("I1", "family_not_reached")])
        scene.wake()
        await asyncio.sleep(0.1)
    assert scene.dialled == [FAMILY[0]]


async def test_a_number_that_is_no_number_is_never_dialled() -> None:
    scene = Scene("500&PJSIP/1001@trunk", "", "12", FAMILY[0])
    scene.legs.elder_phone = "${SHELL(id)}"
    async with scene.running():
        await until(lambda: scene.dialled == [FAMILY[0]])
        await asyncio.sleep(0.2)
    assert scene.dialled == [FAMILY[0]]


async def test_the_second_incident_of_two_wakes_is_one_task() -> None:
    scene = Scene(FAMILY[0])
    async with scene.running():
        for _ in range(5):
            scene.wake()
        await until(lambda: scene.dialled)
        await asyncio.sleep(0.1)
    assert scene.dialled == [FAMILY[0]]


TALK = BusyWith("1700000000.7", "1700000000.8", datetime.now(UTC))


def breaking(**more: Any) -> Scene:
    policy = replace(POLICY, staff=StaffingPolicy(break_in_s=0.1, no_seat_duty_after_s=60))
    scene = Scene(policy=policy, **more)
    scene.telephony.talks = {"1001": TALK}
    return scene


async def test_a_seat_is_taken_under_its_own_channel_and_on_record_before() -> None:
    scene = breaking()
    async with scene.running():
        await until(lambda: scene.telephony.broken_in)
    assert scene.telephony.broken_in == [("1001", TALK.seat, "I1")]
    assert scene.story.index("attempt 1001") < scene.story.index("break in 1001")
    assert scene.legs.leg("1001").attempt_id == TALK.seat


async def test_a_break_in_that_asterisk_refuses_is_over_and_another_seat_is_taken() -> None:
    scene = breaking()
    scene.telephony.refuse = {"1001": DialRefused("No such channel")}
    async with scene.running():
        await until(lambda: "ended 1001 failed" in scene.story)
        scene.telephony.talks = {"1002": BusyWith("1700000000.9", "1700000000.10", datetime.now(UTC))}
        scene.wake()
        await until(lambda: [one[0] for one in scene.telephony.broken_in] == ["1002"])


async def test_the_least_urgent_of_two_ordinary_calls_by_its_ticket() -> None:
    scene = breaking()
    calls = MemoryCalls([])
    calls.known_categories = {TALK.caller: "service.urgent_help"}
    scene.runner._calls = calls
    later = datetime.now(UTC) + timedelta(seconds=5)
    scene.telephony.talks["1002"] = BusyWith("1700000000.9", "1700000000.10", later)
    async with scene.running():
        await until(lambda: scene.telephony.broken_in)
    assert scene.telephony.broken_in[0][0] == "1002"


async def test_a_phone_that_asterisk_lets_ring_for_ever_is_stopped_and_the_next_is_dialled() -> None:
    """Asterisk counts by the wall clock, which was set back by an hour."""
    policy = replace(POLICY, family=CascadePolicy(1, 1), family_ring_s=0.1 - incident_runner.RING_OVER_S)
    scene = Scene(*FAMILY[:2], policy=policy)
    async with scene.running():
        await until(lambda: FAMILY[0] in scene.dialled)
        first = scene.legs.leg(FAMILY[0])
        await until(lambda: f"hang up {first.attempt_id}" in scene.story, 3)
        await scene.legs.ended(str(first.attempt_id), Outcome.NO_ANSWER)
        scene.wake()
        await until(lambda: FAMILY[1] in scene.dialled)
        assert first.outcome is Outcome.NO_ANSWER


async def test_a_family_that_was_tried_in_vain_is_dialled_again_when_he_cries_again() -> None:
    scene = Scene(*FAMILY[:2], seat1001="李娜")
    async with scene.running():

        async def nobody_comes(times: int) -> None:
            for phone in FAMILY[:2]:
                await until(lambda phone=phone: scene.dialled.count(phone) == times)
            for phone in FAMILY[:2]:
                await scene.legs.ended(scene.legs.leg(phone).attempt_id or "", Outcome.NO_ANSWER)
            scene.wake()

        await nobody_comes(1)
        await nobody_comes(2)
        scene.wake()
        await asyncio.sleep(0.2)
        assert scene.dialled.count(FAMILY[0]) == 2, "two rounds"
        scene.legs.cries = 1
        scene.wake()
        await nobody_comes(3)


async def test_relatives_of_another_elder_are_stopped_and_count_for_nothing() -> None:
    scene = Scene(FAMILY[0], policy=replace(POLICY, family=CascadePolicy(1, 2)))
    dialled = [FAMILY[0]]
    async with scene.running():
        await until(lambda: FAMILY[0] in scene.dialled)
        wrong = scene.legs.leg(FAMILY[0])
        wrong.priority, wrong.ever_accepted = NOT_HIS, True
        scene.legs.legs.append(relative(FAMILY[1]))
        scene.wake()
        await until(lambda: wrong.attempt_id in scene.telephony.hung_up)
        await scene.legs.ended(str(wrong.attempt_id), Outcome.NO_ANSWER)
        for _ in range(2):
            dialled.append(FAMILY[1])
            await until(lambda: [phone for phone in scene.dialled if phone in FAMILY] == dialled)
            await scene.legs.ended(str(scene.legs.leg(FAMILY[1]).attempt_id), Outcome.NO_ANSWER)
            scene.wake()
        await until(lambda: ("I1", "family_not_reached") in scene.incidents.escalations)
    assert [phone for phone in scene.dialled if phone in FAMILY] == dialled, "he is not dialled again"
