"""After the link to Asterisk was away: our record against Asterisk's own state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr import clock
from ivr.asterisk.ami import AmiEvent
from ivr.asterisk.snapshot import snapshot
from ivr.domain.incident import LegState, LegView, Outcome, Role
from ivr.services.reconcile import GRACE_S, place_callers, reconcile
from tests.doubles.memory_store import MemoryCalls, MemoryLegs

LONG_AGO = timedelta(seconds=GRACE_S + 1)
NOW = timedelta()


def dialled(age: timedelta) -> MemoryLegs:
    leg = LegView("L", Role.FAMILY, "13800000001", 1, LegState.DIALLED, 1, attempt_id="A1", live=True)
    leg.dialled_at = datetime.now(UTC) - age
    return MemoryLegs([], leg)


@pytest.mark.parametrize(
    ("channel", "told"),
    [("Up", ["answered A1"]), ("Ringing", ["ringing A1"]), ("Down", []), ("Ring", [])],
)
async def test_a_channel_that_lives_is_what_asterisk_says(channel: str, told: list[str]) -> None:
    legs = dialled(LONG_AGO)
    assert await reconcile({"A1": channel}, legs, MemoryCalls([])) == 0
    assert legs.story == told


async def test_a_channel_that_is_gone_is_lost_and_will_be_dialled_again() -> None:
    legs = dialled(LONG_AGO)
    assert await reconcile({}, legs, MemoryCalls([])) == 1
    assert legs.legs[0].outcome is Outcome.LOST
    assert await reconcile({}, legs, MemoryCalls([])) == 0, "safe to repeat"


async def test_a_dial_just_made_may_have_no_channel_yet() -> None:
    legs = dialled(NOW)
    assert await reconcile({}, legs, MemoryCalls([])) == 0
    assert legs.legs[0].live


async def test_a_picture_that_is_older_than_the_dial_says_nothing_about_it() -> None:
    """In a storm the snapshot waited behind events for longer than the grace."""
    legs, again = dialled(LONG_AGO), list[float]()
    taken_at = datetime.now(UTC) - LONG_AGO - timedelta(seconds=1)
    assert await reconcile({}, legs, MemoryCalls([]), taken_at=taken_at, look_again=again.append) == 0
    assert legs.legs[0].live
    assert again, "it is looked at once more"


async def test_a_dial_older_than_asterisk_itself_is_lost_at_once() -> None:
    legs = dialled(timedelta(seconds=2))
    started = datetime.now(UTC) - timedelta(seconds=1)
    assert await reconcile({}, legs, MemoryCalls([]), asterisk_started=started) == 1
    assert legs.legs[0].outcome is Outcome.LOST


@pytest.mark.parametrize(("age_s", "lost"), [(2.0, True), (0.5, False)])
async def test_what_a_dead_engine_dialled_is_judged_sooner(age_s: float, lost: bool) -> None:
    """It will send nothing any more, so nothing is in flight."""
    legs, again = dialled(timedelta(seconds=age_s)), list[float]()
    mended = await reconcile({}, legs, MemoryCalls([]), engine_started=datetime.now(UTC), look_again=again.append)
    assert (mended == 1) is lost
    assert legs.legs[0].live is not lost
    assert [round(seconds, 1) for seconds in again] == ([] if lost else [0.7])


async def test_what_this_engine_dialled_keeps_its_time() -> None:
    legs = dialled(timedelta(seconds=2))
    started = datetime.now(UTC) - timedelta(seconds=3)
    assert await reconcile({}, legs, MemoryCalls([]), engine_started=started) == 0
    assert legs.legs[0].live


async def test_a_call_that_is_gone_has_ended_and_one_that_lives_has_not() -> None:
    calls = MemoryCalls([])
    old, fresh = datetime.now(UTC) - LONG_AGO, datetime.now(UTC)
    calls.living = {"1.1": old, "1.2": old, "1.3": fresh}
    assert await reconcile({"1.2": "Up"}, dialled(NOW), calls) == 1
    assert calls.story == ["call ended 1.1"]


def row(name: str, **headers: str) -> AmiEvent:
    return AmiEvent(name, headers)


async def test_who_was_queued_or_got_a_person_while_nobody_listened_is_on_record() -> None:
    def channel(uniqueid: str, name: str, bridge: str) -> AmiEvent:
        return row("CoreShowChannel", uniqueid=uniqueid, linkedid=uniqueid, channel=name, bridgeid=bridge)

    now = snapshot(
        row("", corestartupdate="2024-02-29", corestartuptime="03:00:00"),
        [
            channel("1.1", "PJSIP/trunk-00000001", ""),  # waits
            channel("1.2", "PJSIP/trunk-00000002", "B1"),  # talks with a seat
            channel("1.3", "PJSIP/1001-00000003", "B1"),
            channel("1.4", "PJSIP/trunk-00000004", "B2"),  # talks with the duty phone
            channel("1.5", "PJSIP/trunk-00000005", "B2"),
            channel("1.6", "PJSIP/trunk-00000006", "ROOM"),  # a conference
            channel("1.7", "PJSIP/1002-00000007", "ROOM"),
            channel("1.8", "PJSIP/trunk-00000008", "ROOM"),
        ],
        [row("QueueEntry", uniqueid="1.1", position="2"), row("QueueEntry", uniqueid="1.9", position="x")],
    )
    calls = MemoryCalls([])
    calls.known_places = {"1.1": (False, False), "1.2": (False, False), "1.4": (True, False), "1.6": (False, False)}
    await place_callers(calls, now.places, now.with_whom())
    assert calls.story == ["call queued 1.1 2", "call connected 1.2 1001", "call connected 1.4 None"]
    calls.known_places = {"1.1": (True, False), "1.2": (True, True)}
    await place_callers(calls, now.places, now.with_whom())
    assert len(calls.story) == 3, "what is known is not told again"


async def test_asterisk_s_beginning_is_told_by_a_clock_that_may_have_been_set_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Our stamps run on, an hour ahead of the wall clock by which Asterisk says when it began."""
    ahead = timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + ahead)
    legs = dialled(timedelta(seconds=3) - ahead)
    began_again = datetime.now(UTC) - timedelta(seconds=1)
    assert await reconcile({}, legs, MemoryCalls([]), asterisk_started=began_again) == 1, "torn"
    legs = dialled(timedelta(seconds=1) - ahead)
    before_the_step = datetime.now(UTC) + timedelta(minutes=50)
    assert await reconcile({}, legs, MemoryCalls([]), asterisk_started=before_the_step) == 0, "nothing is known"
