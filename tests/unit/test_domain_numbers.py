"""Numbers as they arrive, as we keep and dial them, and as a list may show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.domain.numbers import is_dialable, masked, normalise


@pytest.mark.parametrize(
    ("arrived", "kept"),
    [
        ("13800000001", "13800000001"),
        ("+86 138-0000-0001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("8613800000001", "13800000001"),
        ("013800000001", "13800000001"),
        ("021-5550 0001", "02155500001"),
        ("(021)55500001", "02155500001"),
        ("+86 21 5550 0001", "02155500001"),
        ("+86 (0)21 5550 0001", "02155500001"),
        ("00862155500001", "02155500001"),
        ("862155500001", "02155500001"),  # as trunks present it
        ("8602155500001", "02155500001"),
        ("8675555500001", "075555500001"),
        ("867555550001", "07555550001"),
        ("+85255501234", "0085255501234"),
        ("0085255501234", "0085255501234"),
        ("+1 555 010 0001", "0015550100001"),
        ("12349", "12349"),
        ("86123456", "86123456"),  # a local number that happens to begin with 86
        ("4008001234", "4008001234"),
        ("1001", "1001"),
        ("", ""),
        (None, ""),
        ("anonymous", ""),
        ("+", ""),
        ("١٣٨", ""),  # digits of another script are not ours
        ("9" * 500, "9" * 40),
    ],
)
def test_normalise(arrived: str | None, kept: str) -> None:
    assert normalise(arrived) == kept


@given(st.text())
def test_whatever_arrives_only_plain_digits_stay(text: str) -> None:
    kept = normalise(text)
    assert kept == "" or (kept.isascii() and kept.isdigit() and len(kept) <= 42)
    assert not is_dialable(text) or text.isdigit()


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.sampled_from(["", "0", "86", "+86", "0086", "+86 "]))
def test_a_mobile_is_one_number_however_written(number: str, prefix: str) -> None:
    assert normalise(prefix + number) == number
    assert normalise(normalise(prefix + number)) == number


@given(
    st.from_regex(r"0(10|2[0-9]|[3-9][0-9]{2})[2-8][0-9]{7}", fullmatch=True), st.sampled_from(["86", "+86", "0086"])
)
def test_a_landline_is_one_number_however_written(number: str, prefix: str) -> None:
    assert normalise(number) == number
    assert normalise(prefix + number) == number
    assert normalise(prefix + number[1:]) == number


@pytest.mark.parametrize("number", ["120", "12349", "13800000001", "02155500001", "0085255501234", "123456789012345"])
def test_dialable(number: str) -> None:
    assert is_dialable(number)


@pytest.mark.parametrize(
    "number",
    [
        "",
        "1",
        "12",
        "1234567890123456",
        "+8613800000001",
        "500&PJSIP/600",
        "138 00000001",
        "１３８００００",
        "123\n",
        "*11",
    ],
)
def test_not_dialable(number: str) -> None:
    assert not is_dialable(number)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800000001", "138****0001"),
        ("02155500001", "021****0001"),
        ("55500001", "55****01"),
        ("5550001", "55****01"),
        ("12349", "1****"),
        ("1", "1"),
        ("", ""),
        (None, ""),
    ],
)
def test_masked(number: str | None, shown: str) -> None:
    assert masked(number) == shown


@given(st.from_regex(r"[0-9]{5,15}", fullmatch=True))
def test_mask_hides_at_least_three_digits(number: str) -> None:
    kept = masked(number).replace("*", "")
    assert len(number) - len(kept) >= 3
