"""Who of the centre is rung: all ready agents, then the duty phone, and the elder when a person is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.domain.incident import IncidentView, LegState, LegView, Outcome, Role, Wish
from ivr.domain.staffing import BusySeat, StaffingPolicy, StaffingStep, next_step

T0 = datetime(2024, 5, 6, 3, 0, tzinfo=UTC)
DUTY = "13700000000"
POLICY = StaffingPolicy(pause_between_rings_s=3, duty_after_s=20, no_seat_duty_after_s=1, regroup_s=5)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def leg(
    role: Role,
    phone: str,
    *,
    ringing: float | None = None,
    accepted: float | None = None,
    ended: float | None = None,
    outcome: Outcome | None = None,
) -> LegView:
    """Times are seconds after the alarm; without `ended` it is live."""
    began = ringing if ringing is not None else accepted
    state = LegState.ENDED if ended is not None else LegState.ACCEPTED if accepted is not None else LegState.RINGING
    return LegView(
        id=f"{role}-{phone}",
        role=role,
        phone=phone,
        priority=0,
        state=state,
        attempts=1,
        live=ended is None,
        dialled_at=at(began) if began is not None else None,
        accepted_at=at(accepted) if accepted is not None else None,
        ended_at=at(ended) if ended is not None else None,
        ever_accepted=accepted is not None,
        outcome=outcome,
    )


def view(*legs: LegView, elder_phone: str | None = "02155500001") -> IncidentView:
    return IncidentView("I1", T0, False, elder_phone, list(legs))


def agent(ext: str = "1001", **times: float) -> LegView:
    return leg(Role.AGENT, ext, **times)  # type: ignore[arg-type]


def elder(**times: float) -> LegView:
    return leg(Role.ELDER, "02155500001", **times)  # type: ignore[arg-type]


def duty(**times: float) -> LegView:
    return leg(Role.SUPERVISOR, DUTY, **times)  # type: ignore[arg-type]


def step(seconds: float, *legs: LegView, ready: tuple[str, ...] = (), duty_phone: str = DUTY) -> StaffingStep:
    return next_step(view(*legs), ready, duty_phone, POLICY, at(seconds))


def test_all_ready_agents_ring_at_once() -> None:
    found = step(0, elder(accepted=0), ready=("1003", "1001", "1002"))
    assert found.ring_agents == ("1001", "1002", "1003")
    assert not found.ring_duty
    assert found.look_again_s is not None


def test_who_rings_already_is_not_rung_again_and_newcomers_are() -> None:
    found = step(4, elder(accepted=0), agent("1001", ringing=0), ready=("1001", "1002"))
    assert found.ring_agents == ("1002",)


@pytest.mark.parametrize(("now", "rung"), [(12.9, ()), (13.0, ("1001",))])
def test_pause_between_two_rings_of_one_seat(now: float, rung: tuple[str, ...]) -> None:
    found = step(now, elder(accepted=0), agent("1001", ringing=0, ended=10), ready=("1001",))
    assert found.ring_agents == rung


def test_present_agent_stops_the_others_and_nobody_else_is_rung() -> None:
    found = step(
        30,
        elder(accepted=0),
        agent("1001", accepted=5),
        agent("1002", ringing=0),
        duty(ringing=20),
        ready=("1002", "1003"),
    )
    assert set(found.cancel) == {"agent-1002", f"supervisor-{DUTY}"}
    assert (found.ring_agents, found.ring_duty) == ((), False)


def test_who_has_answered_but_not_accepted_is_left_to_hear_why() -> None:
    answered = agent("1002", ringing=0)
    answered.state = LegState.ANSWERED
    assert step(5, elder(accepted=0), agent("1001", accepted=5), answered).cancel == ()


@pytest.mark.parametrize(("now", "rung"), [(19.9, False), (20.0, True), (60.0, True)])
def test_duty_phone_after_the_agents_had_their_time(now: float, rung: bool) -> None:
    found = step(now, elder(accepted=0), agent("1001", ringing=0), ready=("1001",))
    assert found.ring_duty is rung
    assert found.cancel == (), "the agents keep ringing"


@pytest.mark.parametrize(("now", "rung"), [(0.9, False), (1.0, True)])
def test_duty_phone_at_once_without_a_seat(now: float, rung: bool) -> None:
    assert step(now, elder(accepted=0)).ring_duty is rung


def test_duty_phone_rings_again_after_a_pause_for_ever() -> None:
    assert not step(40, duty(ringing=1, ended=38)).ring_duty
    assert step(41, duty(ringing=1, ended=38)).ring_duty
    assert step(3600, duty(ringing=3500, ended=3530)).ring_duty
    assert not step(41, duty(ringing=39)).ring_duty


def test_without_a_duty_phone_none_is_rung() -> None:
    found = step(60, elder(accepted=0), duty_phone="")
    assert not found.ring_duty
    assert found.searching, "a seat may become ready"


def test_elder_waits_alone_after_the_agent_left_regroup_then_ring_again() -> None:
    """The agent's line dropped: give the others a moment to hang up too, then look for somebody again."""
    dropped = agent("1001", accepted=5, ended=30)
    early = step(32, elder(accepted=0), dropped, ready=("1001",))
    assert (early.ring_agents, early.ring_duty, early.look_again_s) == ((), False, 3.0)
    later = step(35, elder(accepted=0), dropped, ready=("1001",))
    assert later.ring_agents == ("1001",)
    assert not later.ring_duty
    assert step(50, elder(accepted=0), dropped, ready=("1001",)).ring_duty


def test_family_that_waits_alone_is_served_too() -> None:
    waiting = leg(Role.FAMILY, "13900000001", accepted=40)
    assert step(60, elder(accepted=0, ended=20), agent(accepted=5, ended=20), waiting, ready=("1001",)).ring_agents


def test_dealt_with_and_everybody_gone_is_quiet() -> None:
    found = step(90, elder(accepted=0, ended=58), agent("1001", accepted=5, ended=60), agent("1002", ringing=88))
    assert found == StaffingStep(cancel=("agent-1002",))


def test_elder_who_hung_up_before_anybody_came_is_still_an_emergency() -> None:
    found = step(3, elder(ringing=0, ended=2), ready=("1001",))
    assert found.ring_agents == ("1001",)


def busy(**since: float) -> dict[str, BusySeat]:
    return {extension.removeprefix("seat"): BusySeat(at(seconds)) for extension, seconds in since.items()}


def taking(seconds: float, *legs: LegView, ready: tuple[str, ...] = (), seats: dict[str, BusySeat]) -> StaffingStep:
    return next_step(view(*legs), ready, DUTY, POLICY, at(seconds), seats)


def test_no_agent_free_within_three_seconds_one_is_taken_from_an_ordinary_call() -> None:
    seats = busy(seat1001=-30, seat1002=-90)
    early = taking(1, elder(accepted=0), seats=seats)
    assert early.break_in is None
    assert early.look_again_s == pytest.approx(2)
    assert taking(3, elder(accepted=0), seats=seats).break_in == "1002", "the longest talk"


def test_the_least_urgent_call_is_taken_before_the_longest() -> None:
    seats = {"1001": BusySeat(at(-300), urgency=2), "1002": BusySeat(at(-10)), "1003": BusySeat(at(-20), urgency=1)}
    assert taking(3, elder(accepted=0), seats=seats).break_in == "1002"


def test_agents_who_ring_are_given_longer_and_then_one_is_taken_all_the_same() -> None:
    seats = busy(seat1002=-30)
    assert taking(9, elder(accepted=0), agent("1001", ringing=0), seats=seats).break_in is None
    assert taking(10, elder(accepted=0), agent("1001", ringing=0), seats=seats).break_in == "1002"


def test_one_seat_is_taken_at_a_time_and_none_when_somebody_is_there_or_it_is_switched_off() -> None:
    seats = busy(seat1002=-30)
    on_the_way = replace(agent("1001", ringing=3), state=LegState.ANSWERED)
    assert taking(4, elder(accepted=0), on_the_way, seats=seats).break_in is None
    assert taking(4, elder(accepted=0), on_the_way, seats=seats).look_again_s == pytest.approx(7)
    assert taking(11, elder(accepted=0), on_the_way, seats=seats).break_in == "1002", "that one never left its call"
    assert taking(9, elder(accepted=0), agent("1001", accepted=5), seats=seats).break_in is None
    never = replace(POLICY, break_in_s=None)
    assert next_step(view(elder(accepted=0)), (), DUTY, never, at(50), seats).break_in is None


def test_an_elder_who_is_asked_how_it_is_while_help_is_on_its_way_rings_nobody() -> None:
    asked = view(elder(ringing=300), agent(accepted=5, ended=60))
    assert next_step(asked, ("1001",), DUTY, POLICY, at(302)).searching
    asked.awaited_since, asked.elder_met = at(30), True
    found = next_step(asked, ("1001",), DUTY, POLICY, at(302))
    assert (found.ring_agents, found.searching) == ((), False)
    worse = view(elder(accepted=310), agent(accepted=5, ended=60))
    worse.awaited_since, worse.elder_met = at(30), True
    assert next_step(worse, ("1001",), DUTY, POLICY, at(312)).ring_agents == ("1001",)


LADDER = replace(POLICY, supervisors=("13600000001",), on_call=("13600000002", "13600000003"))


def climb(
    seconds: float, *legs: LegView, hospital: bool = False, seats: dict[str, BusySeat] | None = None
) -> StaffingStep:
    incident = view(elder(accepted=0), *legs)
    incident.hospital_allowed = hospital
    return next_step(incident, (), DUTY, LADDER, at(seconds), seats)


def test_without_any_seat_supervisor_then_those_on_call_then_the_hospital() -> None:
    assert climb(4).ring_supervisors == ()
    found = climb(5)
    assert (found.ring_supervisors, found.ring_on_call) == (("13600000001",), ())
    assert climb(10).ring_on_call == ("13600000002", "13600000003")
    assert not climb(14, hospital=True).ring_hospital
    assert climb(15, hospital=True).ring_hospital
    assert not climb(15).ring_hospital, "only where the elder's file allows it"
    assert not climb(15, leg(Role.HOSPITAL, "120", ringing=15), hospital=True).ring_hospital, "once"


def test_a_hospital_that_cannot_be_had_makes_way_for_the_next() -> None:
    def tried(attempts: int, outcome: Outcome, **times: float) -> LegView:
        found = leg(Role.HOSPITAL, "02155520001", outcome=outcome, **times)  # type: ignore[arg-type]
        found.wish = Wish(at(15), attempts=attempts, last_accepted=at(20) if "accepted" in times else None)
        return found

    assert climb(40, tried(1, Outcome.DECLINED, ringing=15, ended=30), hospital=True).ring_hospital
    assert climb(90, tried(3, Outcome.BUSY, ringing=15, ended=80), hospital=True).ring_hospital
    assert not climb(40, tried(1, Outcome.BUSY, ringing=15, ended=30), hospital=True).ring_hospital, "tried again first"
    assert not climb(90, tried(1, Outcome.TALKED, accepted=20, ended=80), hospital=True).ring_hospital


def test_a_seat_that_nobody_may_take_is_no_seat() -> None:
    never = replace(LADDER, break_in_s=None)
    talks = busy(seat1001=-5)
    found = next_step(view(elder(accepted=0)), (), DUTY, never, at(6), talks)
    assert (found.break_in, found.ring_supervisors) == (None, ("13600000001",))


def test_a_seat_that_can_be_taken_keeps_the_ladder_for_later() -> None:
    found = climb(6, seats=busy(seat1001=-5))
    assert found.break_in == "1001"
    assert found.ring_supervisors == ()
    assert climb(26, seats=busy(seat1001=-5)).ring_supervisors == ("13600000001",)


roles = st.sampled_from([Role.AGENT, Role.SUPERVISOR, Role.ELDER, Role.FAMILY])
moments = st.integers(0, 100)


@st.composite
def any_leg(draw: st.DrawFn, number: int) -> LegView:
    role = draw(roles)
    phone = DUTY if role is Role.SUPERVISOR else f"100{number}" if role is Role.AGENT else f"1390000000{number}"
    began = draw(moments)
    accepted = draw(st.none() | st.integers(began, 100))
    ended = draw(st.none() | st.integers(accepted if accepted is not None else began, 100))
    return replace(leg(role, phone, ringing=began, accepted=accepted, ended=ended), id=f"leg{number}")


@st.composite
def any_view(draw: st.DrawFn) -> IncidentView:
    legs = [draw(any_leg(number)) for number in range(draw(st.integers(0, 5)))]
    return view(*{(one.role, one.phone): one for one in legs}.values())  # a phone is one leg, as in the table


@given(any_view(), st.sets(st.sampled_from(["1000", "1001", "1002", "1009"])), st.sampled_from(["", DUTY]))
@settings(max_examples=200, deadline=None)
def test_rules_that_always_hold(found: IncidentView, ready: set[str], duty_phone: str) -> None:
    result = next_step(found, ready, duty_phone, POLICY, at(100))
    live = {one.id: one for one in found.legs if one.live}
    staff = found.of(Role.AGENT, Role.SUPERVISOR)
    present = [one for one in staff if one.live and one.accepted_at is not None]

    assert set(result.ring_agents) <= ready
    assert not set(result.ring_agents) & {one.phone for one in live.values() if one.role is Role.AGENT}
    for leg_id in result.cancel:  # only staff phones that ring: never the elder, the family or a person in the room
        assert live[leg_id] in staff
        assert live[leg_id].accepted_at is None
    if present:
        assert not result.ring_agents
        assert not result.ring_duty
    if result.ring_duty:
        assert duty_phone
        assert not any(one.live for one in found.of(Role.SUPERVISOR))
    if not present and not any(one.ever_accepted for one in staff):
        # Nobody has ever come: a seat that becomes free is rung at once, and no pause is longer than a minute.
        assert result.searching
        assert result.look_again_s is None or 0 < result.look_again_s <= 60
