"""When the elder is called again: after a cut, after a press that was hung up, and for a person who waits for him."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.domain.incident import IncidentView, LegState, LegView, Role
from ivr.domain.redial import RedialPolicy, RedialStep, next_step

T0 = datetime(2024, 5, 6, 3, 0, tzinfo=UTC)
POLICY = RedialPolicy()


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def leg(role: Role, *, live: bool, ended: float | None = None, accepted: float | None = None) -> LegView:
    return LegView(
        id=role,
        role=role,
        phone="1001" if role is Role.AGENT else "02155500001",
        priority=0,
        state=LegState.ACCEPTED if live else LegState.ENDED,
        attempts=1,
        live=live,
        accepted_at=at(accepted) if accepted is not None else None,
        ended_at=at(ended) if ended is not None else None,
        ever_accepted=accepted is not None,
    )


def step(
    seconds: float,
    *legs: LegView,
    lost: float | None = 0,
    tries: int = 0,
    met: bool = False,
    phone: str | None = "02155500001",
    policy: RedialPolicy = POLICY,
) -> RedialStep:
    view = IncidentView("I1", T0, False, phone, list(legs))
    view.elder_lost_since = at(lost) if lost is not None else None
    view.elder_redials, view.elder_met = tries, met
    return next_step(view, policy, at(seconds))


def gone(seconds: float) -> LegView:
    return leg(Role.ELDER, live=False, ended=seconds)


AGENT = leg(Role.AGENT, live=True, accepted=1)


def test_a_cut_line_is_called_again_within_five_seconds() -> None:
    assert not step(1, gone(0)).dial
    assert step(1, gone(0)).look_again_s == 1
    assert step(2, gone(0)).dial


def test_three_tries_fit_into_a_minute_and_then_one_a_minute() -> None:
    began, now, tries = [], 0.0, 0
    ended = 0.0
    while now < 200:
        found = step(now, gone(ended), tries=tries)
        if found.dial:
            began.append(now)
            tries, ended = tries + 1, now + found.ring_s
            now = ended
        else:
            now += 0.5
    assert len([moment for moment in began if moment < 60]) == 3
    assert began[0] <= 5
    assert 60 <= began[3] - (began[2] + POLICY.ring_s) < 61


def test_after_the_tries_or_ninety_seconds_everybody_and_after_two_minutes_120_is_proposed() -> None:
    assert not step(40, gone(30), tries=2).everybody
    assert step(41, gone(40), tries=3).everybody
    assert step(90, gone(80), tries=1).everybody
    assert not step(119, gone(100), tries=3).propose_ambulance
    assert step(120, gone(100), tries=3).propose_ambulance


def test_120_is_proposed_in_time_though_his_phone_rings_or_his_voicemail_answers() -> None:
    for rings in (leg(Role.ELDER, live=True), leg(Role.ELDER, live=True, accepted=115)):
        assert not step(119, rings, tries=3).propose_ambulance
        assert step(119, rings, tries=3).look_again_s == 1
        assert step(120, rings, tries=3).propose_ambulance
    assert not step(60, leg(Role.ELDER, live=True), tries=3).everybody, "his third try has not ended"
    assert step(90, leg(Role.ELDER, live=True), tries=3).everybody


def test_whom_nobody_joins_is_as_lost_as_one_whose_line_was_cut() -> None:
    silent = leg(Role.ELDER, live=True, accepted=1)
    assert step(10, silent, lost=None).look_again_s == 80
    assert step(90, silent, lost=None).everybody
    assert step(120, silent, lost=None).propose_ambulance
    assert step(120, lost=None, phone=None).propose_ambulance, "an unknown device"
    for came in (Role.AGENT, Role.FAMILY, Role.WORKER):
        assert step(120, silent, leg(came, live=False, ended=50, accepted=40), lost=None) == RedialStep()
    storm = RedialPolicy(alone_too=False)
    assert step(120, silent, lost=None, policy=storm) == RedialStep()
    assert step(120, gone(1), lost=0, policy=storm).propose_ambulance


def test_an_elder_on_the_line_or_who_has_spoken_with_a_person_is_left_alone() -> None:
    assert not step(10, leg(Role.ELDER, live=True, accepted=3)).dial
    assert step(10, gone(5), AGENT, met=True) == RedialStep()
    assert step(200, gone(5), met=True) == RedialStep()


def test_an_alarm_without_a_voice_is_called_once_a_person_is_there() -> None:
    assert not step(50, lost=None).dial
    found = step(50, AGENT, lost=None)
    assert found.dial
    assert found.ring_s == POLICY.waiting_ring_s, "somebody waits: it rings longer"
    assert not found.everybody


def test_for_a_person_who_waits_he_is_called_at_once_and_again_with_pauses() -> None:
    assert step(1, gone(0.5), AGENT).dial
    assert not step(21, gone(20), AGENT, tries=1).dial
    assert step(23, gone(20), AGENT, tries=1).dial


def test_nobody_without_a_phone_is_called() -> None:
    assert not step(10, gone(0), AGENT, phone=None).dial


moments = st.floats(0, 600, allow_nan=False)


@given(moments, st.none() | moments, moments, st.integers(0, 9), st.booleans(), st.booleans())
@settings(max_examples=300, deadline=None)
def test_rules_that_always_hold(
    now: float, lost: float | None, ended: float, tries: int, met: bool, someone: bool
) -> None:
    legs = [gone(min(ended, now))] + ([AGENT] if someone else [])
    found = step(now, *legs, lost=min(lost, now) if lost is not None else None, tries=tries, met=met)
    if met:
        assert found == RedialStep()
    elif lost is not None or someone:
        assert found.dial or found.look_again_s is not None, "never forgotten"
        assert found.look_again_s is None or 0 < found.look_again_s <= 120
