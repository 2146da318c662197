"""One cell: what people and Excel write, and what we keep of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ivr.domain.numbers import is_dialable
from ivr.importing import cells
from ivr.importing.report import Bad, shown
from ivr.importing.rows import ContactRow, DeviceRow, ElderRow, HospitalRow, WorkerRow, reason


def _bad(check: Callable[[Any], Any], cell: Any) -> Bad:
    with pytest.raises(Bad) as caught:
        check(cell)
    return caught.value


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("13900000001", "13900000001"),
        (13900000001, "13900000001"),
        (13900000001.0, "13900000001"),
        ("+86 139-0000-0001", "13900000001"),
        ("１３９０００００００１", "13900000001"),
        ("０２１－５５５０　０００１", "02155500001"),
        ("(021) 5550 0001", "02155500001"),
        ("+86 21 5550 0001", "02155500001"),
        ("\ufeff13900000001\u200b", "13900000001"),
        ("+852 5550 1234", "0085255501234"),
        ("400-800-1234", "4008001234"),
        ("5550001", "5550001"),
        ("12345", "12345"),
    ],
)
def test_phone(cell: Any, kept: str) -> None:
    assert cells.phone(cell) == kept


@pytest.mark.parametrize(
    "cell",
    [
        "",
        None,
        "无",
        "12",
        "13900000001/13900000002",
        "5550001、5550002",
        "5550001 5550002",  # two local numbers would be dialled as one
        "02155500001转8001",
        "021-55500001-8001",
        "2155500001",  # Excel ate the 0
        2155500001,
        1055500001,
        "1390000001",
        "139000000011",
        "500&PJSIP/600",
        "*11",
        "12345678901234567",
        "120",
        "110",
        "139 0000 0001\r\nAction: Originate",
    ],
)
def test_not_a_phone(cell: Any) -> None:
    bad = _bad(cells.phone, cell)
    assert bad.zh
    assert bad.en


@given(st.text(max_size=30) | st.integers() | st.floats())
def test_whatever_passes_as_a_phone_is_dialable(cell: Any) -> None:
    try:
        kept = cells.optional_phone(cell)
    except Bad:
        return
    assert kept is None or is_dialable(kept)


@pytest.mark.parametrize(
    "cell",
    [
        "1940-05-06",
        "1940/5/6",
        "1940.5.6",
        "1940年5月6日",
        "19400506",
        19400506,
        "1940-05-06 00:00:00",
        "1940-05-06T00:00",
        date(1940, 5, 6),
        datetime(1940, 5, 6),  # noqa: DTZ001 - so openpyxl gives it
        14737,
        14737.0,
        "１９４０－０５－０６",
    ],
)
def test_birth_date(cell: Any) -> None:
    assert cells.birth_date(cell) == date(1940, 5, 6)


@pytest.mark.parametrize(
    "cell",
    [
        "1940",
        1940,
        "06/05/1940",
        "1940-13-01",
        "1941-02-29",
        "1940-05-06 08:30",
        "40-05-06",
        "昨天",
        "1850-01-01",
        datetime.now(UTC).date() + timedelta(days=2),
        14737000,
        True,
        -5,
    ],
)
def test_not_a_birth_date(cell: Any) -> None:
    _bad(cells.birth_date, cell)


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("男", "M"),
        ("女", "F"),
        ("m", "M"),
        ("Female", "F"),
        ("女性", "F"),
        (1, "M"),
        ("2", "F"),
        ("未知", None),
        ("", None),
    ],
)
def test_sex(cell: Any, kept: str | None) -> None:
    assert cells.sex(cell) == kept
    _bad(cells.sex, "x")


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("8:05", "08:05"), ("08：05", "08:05"), ("08:05:00", "08:05"), (time(8, 5), "08:05"), ("", None), (None, None)],
)
def test_clock(cell: Any, kept: str | None) -> None:
    assert cells.clock_from(cell) == kept
    assert cells.clock_to(cell) == kept


def test_clock_ends_of_the_day() -> None:
    assert cells.clock_to("24:00") == "24:00"
    for cell in ("24:00", "24:01", "12:60", "8点", "8", 0.333, "08:05:30"):
        _bad(cells.clock_from, cell)


@pytest.mark.parametrize(("cell", "kept"), [("1", 1), (2, 2), (3.0, 3), ("０７", 7), ("", None)])
def test_priority(cell: Any, kept: int | None) -> None:
    assert cells.priority(cell) == kept


@pytest.mark.parametrize("cell", ["0", 0, "-1", "1.5", 1.5, "第一", "1000"])
def test_not_a_priority(cell: Any) -> None:
    _bad(cells.priority, cell)


@pytest.mark.parametrize("cell", ["是", "1", 1, "true", "TRUE", True, "Yes", "Y"])
def test_yes(cell: Any) -> None:
    assert cells.yes_or_no(cell) is True


@pytest.mark.parametrize("cell", ["否", "0", 0, "false", False, "no", "", None])
def test_no(cell: Any) -> None:
    assert cells.yes_or_no(cell) is False


def test_neither_yes_nor_no() -> None:
    for cell in ("也许", "2", "是否"):
        _bad(cells.yes_or_no, cell)


@pytest.mark.parametrize(("cell", "kept"), [("31.2304", 31.2304), (31, 31.0), ("-90", -90.0), ("", None)])
def test_latitude(cell: Any, kept: float | None) -> None:
    assert cells.latitude(cell) == kept


@pytest.mark.parametrize("cell", ["90.1", "121.47", "nan", "inf", "31,23", "北纬31", "1e1", float("nan")])
def test_not_a_latitude(cell: Any) -> None:
    _bad(cells.latitude, cell)


def test_longitude_has_its_own_range() -> None:
    assert cells.longitude("121.47") == 121.47
    _bad(cells.longitude, "180.1")


@pytest.mark.parametrize("cell", ["王\x00", "王\r\n秀英", "王\u202e英", "a\x1bb", "王\t英"])
def test_control_characters_are_refused(cell: str) -> None:
    _bad(cells.required, cell)


def test_line_breaks_in_prose_become_spaces() -> None:
    assert cells.prose("高血压\n糖尿病\r\n\t卧床") == "高血压 糖尿病 卧床"
    _bad(cells.prose, "高血压\x00")


def test_length_of_a_cell() -> None:
    assert cells.prose("长" * 4000) == "长" * 4000
    _bad(cells.prose, "长" * 4001)


def test_formula_that_failed_in_excel() -> None:
    assert "Excel" in _bad(cells.optional, "#N/A").zh
    assert cells.optional("#5 楼") == "#5 楼"


@pytest.mark.parametrize("cell", ["E 1", "E/1", "E1'", "<E1>", "E1,E2", ""])
def test_not_a_key(cell: str) -> None:
    _bad(cells.key, cell)


def test_keys() -> None:
    assert [cells.key(cell) for cell in (1001, 1001.0, "E-0001", "AA:BB:01", "老人_7")] == [
        "1001",
        "1001",
        "E-0001",
        "AA:BB:01",
        "老人_7",
    ]


def test_pin() -> None:
    assert cells.pin("0012") == "0012"
    for cell in ("123", "abcd", "1" * 13, 12):
        _bad(cells.pin, cell)


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (
            ElderRow,
            "elder_no,name,sex,birth_date,phone,mobile,address,district,lat,lng,medical,notes,dialect,consent_outbound,"
            "helper_no,access,consent_hospital",  # the last three are extensions
        ),
        (ContactRow, "elder_no,name,relation,phone,priority,available_from,available_to"),
        (DeviceRow, "device_id,kind,elder_no,caller_id"),
        (WorkerRow, "worker_no,name,phone,skills,district,lat,lng,pin"),
        (HospitalRow, "name,phone,district,lat,lng,capabilities,endpoint,push_secret"),
    ],
)
def test_columns_are_those_of_the_design(model: Any, columns: str) -> None:
    assert set(model.model_fields) == set(columns.split(","))


@pytest.mark.parametrize(
    ("model", "row", "column"),
    [
        (ElderRow, {"elder_no": "E1", "name": "王", "lat": "31"}, "lat"),
        (ElderRow, {"elder_no": "E" * 41, "name": "王"}, "elder_no"),
        (ElderRow, {"elder_no": "E1", "name": "王" * 81}, "name"),
        (ElderRow, {"elder_no": "E1", "name": "王", "dialect": "话" * 41}, "dialect"),
        (
            ContactRow,
            {"elder_no": "E1", "name": "王", "phone": "13900000001", "available_to": "08:00"},
            "available_from",
        ),
        (HospitalRow, {"name": "医院", "phone": "急诊"}, "phone"),
    ],
)
def test_rows_say_which_column(model: Any, row: dict[str, str], column: str) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(row)
    (error,) = caught.value.errors()
    found, zh, en = reason(error)
    assert found == column
    assert zh
    assert en


def test_private_columns_are_never_repeated() -> None:
    for column in ("medical", "notes", "pin"):
        assert "secret" not in str(shown(column, "secret"))
    assert shown("name", "王\x1b[31m") == "王�[31m"
    assert len(str(shown("name", "x" * 5000))) < 100
