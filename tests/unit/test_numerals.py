"""Numbers and times as they are said."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.speech.aeap import results
from ivr.speech.numerals import (
    DIGITS,
    SpokenTime,
    digits_in,
    meaning_of,
    parse_digits,
    parse_number,
    parse_time,
    time_in,
)

SUNDAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("幺二三四九", "12349"), ("洞拐", "07"), ("一三八零零", "13800"), ("两", "2"), ("〇", "0"), ("120", "120")],
)
def test_digits_one_by_one(said: str, meant: str) -> None:
    assert parse_digits(said) == meant


@pytest.mark.parametrize("said", ["", "十", "一百", "一 二", "吃饭", "一二三吗"])
def test_what_is_no_row_of_digits(said: str) -> None:
    assert parse_digits(said) is None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("一百二十", 120),
        ("两千零五", 2005),
        ("十", 10),
        ("两百五", 250),
        ("零", 0),
        ("八十三", 83),
        ("120", 120),
        ("一万二", 12000),
    ],
)
def test_numbers(said: str, meant: int) -> None:
    assert parse_number(said) == meant


@pytest.mark.parametrize("said", ["", "百", "一十一百", "负三", "三点五", "吃饭", "一" * 500, "²"])
def test_what_is_no_number(said: str) -> None:
    assert parse_number(said) is None


@given(st.integers(0, 99_999_999))
def test_every_number_that_is_spelt_is_read_back(value: int) -> None:
    import cn2an

    assert parse_number(cn2an.an2cn(value)) == value


@given(st.text(alphabet=list(DIGITS), min_size=1, max_size=30))
def test_rows_of_digits_keep_their_length(said: str) -> None:
    assert len(parse_digits(said) or "") == len(said)


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ("明天上午九点半", "2026-11-23 09:30"),
        ("后天下午三点一刻", "2026-11-24 15:15"),
        ("大后天晚上八点", "2026-11-25 20:00"),
        ("今天中午", "2026-11-22 12:00"),
        ("星期三上午十点二十", "2026-11-25 10:20"),
        ("下周三下午", "2026-11-25 14:00"),
        ("礼拜天早上七点", "2026-11-22 07:00"),
        ("明天中午一点", "2026-11-23 13:00"),
        ("明天晚上十二点", "2026-11-24 00:00"),
        ("明天凌晨两点", "2026-11-23 02:00"),
    ],
)  # fmt: skip
def test_times(said: str, begins: str) -> None:
    found = parse_time(said, SUNDAY)
    assert found is not None
    assert str(found.begins())[:16] == begins


def test_what_was_not_said_of_a_time_stays_open() -> None:
    clock = parse_time("九点", SUNDAY)
    assert clock is not None
    assert (clock.day, clock.part, clock.at) == (None, None, time(9))
    assert clock.begins() is None
    assert parse_time("二十五点", SUNDAY) is None
    assert parse_time("我要吃饭", SUNDAY) is None


@given(st.text(alphabet="今明后天下周星期一二三十点半刻分上午晚九零两", max_size=20))
def test_no_text_breaks_the_clock(said: str) -> None:
    found = parse_time(said, SUNDAY)
    if found is not None:
        found.begins()


# ---- as ids


@pytest.mark.parametrize(
    ("first", "said", "meaning"),
    [
        ("1", "幺三八零零", "digits.13800"),
        ("0", "洞", "digits.0"),
        ("time.day", "明天上午", "time.20261123.am"),
        ("time.day", "后天", "time.20261124"),
        ("time.part", "下午三点半", "time.pm.1530"),
        ("time.day", "下周二晚上八点", "time.20261124.night.2000"),
        ("time.hour", "九点", "time.0900"),
        ("time.any", "都行", "time.any"),
        ("time.now", "现在", "time.now"),
        ("1", "一" * 21, None),
        ("1", "一三八吃饭", None),
    ],
)
def test_a_row_of_entries_travels_as_one_id(first: str, said: str, meaning: str | None) -> None:
    assert meaning_of(first, said, SUNDAY) == meaning


PARTS = ["凌晨", "清早", "早上", "早晨", "上午", "中午", "下午", "傍晚", "晚上", "夜里", "半夜"]


@given(
    day=st.sampled_from(["", "今天", "明天", "下周三"]),
    part=st.sampled_from(["", *PARTS]),
    clock=st.sampled_from(["", "三点", "九点半", "十二点"]),
)
def test_what_was_told_comes_out_again(day: str, part: str, clock: str) -> None:
    said = day + part + clock
    meaning = meaning_of("time.day", said, SUNDAY)
    assert meaning is not None
    results("1", meaning, 90, "times")  # Asterisk's line can carry it
    told = parse_time(said, SUNDAY)
    if told is None:
        assert (said, meaning) == ("", "time.day")
    else:
        wanted = SpokenTime(told.day, "早上" if told.part == "早晨" else told.part, told.at)
        assert time_in(meaning) == wanted


@given(st.text(alphabet="零一二三四五六七八九幺两拐", min_size=1, max_size=20))
def test_digits_come_out_again(said: str) -> None:
    meaning = meaning_of("1", said, SUNDAY)
    assert meaning is not None
    results("1", meaning, 90, "digits")
    assert digits_in(meaning) == parse_digits(said)


@pytest.mark.parametrize(
    "other",
    ["", "yes", "time", "time.any", "time.day", "digits.", "digits.1a", "digits.１", "1", "time.20261399", "time.2590",
     "time.20261129.nowhere", "time.20261129.am.0900.1", "service.meal"],
)  # fmt: skip
def test_other_ids_tell_no_number_and_no_time(other: str) -> None:
    assert digits_in(other) is None
    assert time_in(other) is None
