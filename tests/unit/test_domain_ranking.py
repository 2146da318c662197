"""Who is sent: everybody in order, with reasons that are true."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.domain.geography import Point, bearing, distance_km, point
from ivr.domain.incident import Outcome
from ivr.domain.ranking import Hospital, Need, Tried, Worker, rank_hospitals, rank_workers, words_of

places = st.one_of(
    st.none(), st.builds(Point, st.floats(-90, 90, allow_nan=False), st.floats(-180, 180, allow_nan=False))
)
districts = st.sampled_from([None, "静安区", "黄浦区"])
tried = st.one_of(
    st.none(),
    st.builds(Tried, live=st.booleans(), accepted=st.booleans(), outcome=st.sampled_from([None, *Outcome])),
)
workers = st.lists(
    st.builds(
        Worker,
        worker_no=st.integers(0, 999).map(lambda n: f"W{n}"),
        name=st.just("护理员"),
        phone=st.sampled_from(["13700000001", "02155520001", "x&y", ""]),
        skills=st.lists(st.sampled_from(["护理", "急救员", "开锁"]), max_size=3).map(tuple),
        district=districts,
        where=places,
        busy=st.booleans(),
        tried=tried,
    ),
    max_size=12,
    unique_by=lambda one: one.worker_no,
)
hospitals = st.lists(
    st.builds(
        Hospital,
        name=st.integers(0, 999).map(lambda n: f"第{n}医院"),
        phone=st.just("02155520001"),
        districts=st.lists(st.sampled_from(["静安区", "黄浦区"]), max_size=2).map(tuple),
        where=places,
        capabilities=st.lists(st.sampled_from(["胸痛中心", "卒中中心", "骨科"]), max_size=3).map(tuple),
        pushes=st.booleans(),
        tried=tried,
    ),
    max_size=12,
    unique_by=lambda one: one.name,
)
needs = st.builds(
    Need,
    helper_no=st.sampled_from([None, "W1", "W2", "nobody"]),
    district=districts,
    where=places,
    skill=st.sampled_from([None, "急救", "开锁"]),
    heard=st.lists(st.sampled_from(["distress.chest", "distress.stroke", "fall", "nonsense"]), max_size=3).map(tuple),
)


@given(needs, workers, hospitals, st.randoms(use_true_random=False))
def test_nobody_is_dropped_and_the_order_does_not_depend_on_the_lists(
    need: Need, some: list[Worker], houses: list[Hospital], chance: random.Random
) -> None:
    ranked, ranked_houses = rank_workers(need, some), rank_hospitals(need, houses)
    assert sorted(one.key for one in ranked) == sorted(one.worker_no for one in some)
    assert sorted(one.key for one in ranked_houses) == sorted(one.name for one in houses)
    chance.shuffle(some)
    chance.shuffle(houses)
    assert rank_workers(need, some) == ranked
    assert rank_hospitals(need, houses) == ranked_houses
    assert all(one.reasons for one in [*ranked, *ranked_houses]), "each says why it stands where it stands"
    for one in [*ranked, *ranked_houses]:
        assert one.distance_km is None or math.isfinite(one.distance_km)


@given(needs, workers)
def test_a_machine_rings_nobody_who_is_at_another_incident_or_has_said_no_or_has_no_number(
    need: Need, some: list[Worker]
) -> None:
    by_no = {one.worker_no: one for one in some}
    for ranked in rank_workers(need, some):
        if ranked.may_be_offered:
            one = by_no[ranked.key]
            assert not one.busy
            assert one.phone in ("13700000001", "02155520001")
            assert one.tried is None or one.tried.live or one.tried.outcome is not Outcome.DECLINED


@given(needs, workers)
def test_the_free_come_before_the_busy_the_bound_one_first_of_them_and_then_skill_and_nearness(
    need: Need, some: list[Worker]
) -> None:
    by_no = {one.worker_no: one for one in some}
    order = [by_no[ranked.key] for ranked in rank_workers(need, some)]
    free = [one for one in order if one.phone not in ("x&y", "") and not one.busy and one.tried is None]
    behind = [at for at, one in enumerate(order) if one.busy or one.phone in ("x&y", "")]
    assert not free or not behind or order.index(free[-1]) < behind[0]
    bound = [one.worker_no == need.helper_no for one in free]
    assert True not in bound[1:]
    rest = [one for one in free if one.worker_no != need.helper_no]
    skilled = [need.skill is None or any(need.skill in skill for skill in one.skills) for one in rest]
    assert skilled == sorted(skilled, reverse=True)
    if need.where is not None:
        near = [
            distance_km(need.where, one.where) for one, able in zip(rest, skilled, strict=True) if able and one.where
        ]
        assert near == sorted(near)


def test_the_reasons_are_those_a_person_would_give() -> None:
    need = Need("W2", "静安区", Point(31.23, 121.45), "急救", ("distress.stroke",))
    some = [
        Worker("W1", "近", "13700000001", ("急救员",), "静安区", Point(31.24, 121.45)),
        Worker("W2", "自己的", "13700000002", ("护理",), "黄浦区", None),
        Worker("W3", "忙", "13700000003", ("急救员",), "静安区", Point(31.23, 121.45), busy=True),
        Worker(
            "W4", "不来", "13700000004", ("急救员",), None, Point(31.23, 121.45), tried=Tried(outcome=Outcome.DECLINED)
        ),
        Worker("W5", "未接", "13700000005", ("急救员",), None, Point(31.5, 121.45), tried=Tried(outcome=Outcome.BUSY)),
        Worker("W6", "无号", "x", ("急救员",), "静安区", Point(31.23, 121.45)),
    ]
    ranked = rank_workers(need, some)
    assert [one.key for one in ranked] == ["W2", "W1", "W5", "W3", "W4", "W6"]
    said = {one.key: " ".join(one.reasons) for one in ranked}
    assert "绑定" in said["W2"]
    assert "no such skill" in said["W2"]
    assert "距离不明" in said["W2"]
    assert "1.1 公里" in said["W1"]
    assert "same district" in said["W1"]
    assert "another open incident" in said["W3"]
    assert "declined" in said["W4"]
    assert "not reached" in said["W5"]
    assert "cannot be dialled" in said["W6"]


def test_the_hospital_of_the_district_comes_first_then_what_it_can_do_then_the_nearest() -> None:
    need = Need(district="静安区", where=Point(31.23, 121.45), heard=("distress.stroke",))
    houses = [
        Hospital("近", "02100000001", ("黄浦区",), Point(31.231, 121.45)),
        Hospital("近能", "02100000002", ("黄浦区",), Point(31.25, 121.45), ("卒中中心",)),
        Hospital("本区", "02100000003", words_of("静安区、虹口区"), Point(31.4, 121.45)),
        Hospital("本区能", "02100000004", ("静安区",), None, ("急诊", "卒中中心"), pushes=True),
    ]
    ranked = rank_hospitals(need, houses)
    assert [one.key for one in ranked] == ["本区能", "本区", "近能", "近"]
    assert "签约" in " ".join(ranked[0].reasons)
    assert "有卒中中心" in " ".join(ranked[0].reasons)
    assert "receives the package" in " ".join(ranked[0].reasons)


def test_distance_and_direction() -> None:
    bund, station = Point(31.2400, 121.4900), Point(31.2496, 121.4555)
    assert distance_km(bund, station) == pytest.approx(3.45, abs=0.05)
    assert distance_km(Point(0, 179.9), Point(0, -179.9)) == pytest.approx(22.24, abs=0.01)
    assert bearing(Point(31, 121), Point(32, 121)) == "北"
    assert bearing(Point(31, 121), Point(30, 120)) == "西南"
    assert point(None, 121.0) is None
    assert point(float("nan"), 121.0) is None
    assert point(91, 121) is None


@given(places, places)
def test_distance_is_a_distance(a: Point | None, b: Point | None) -> None:
    if a is not None and b is not None:
        assert 0 <= distance_km(a, b) <= 20016
        assert distance_km(a, b) == pytest.approx(distance_km(b, a), abs=1e-6)
        assert distance_km(a, a) == pytest.approx(0, abs=1e-6)
