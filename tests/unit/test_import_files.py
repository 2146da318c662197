"""Files as people send them: encodings, Excel, and what only looks like a table."""

from __future__ import annotations

import codecs
import zipfile
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ivr.importing import files, xlsx
from ivr.importing.files import rows_of
from ivr.importing.report import FileRefused

TEXT = "elder_no,name\r\nE1,王秀英\r\nE2,李䶮\r\n"
ROWS = [(1, ["elder_no", "name"]), (2, ["E1", "王秀英"]), (3, ["E2", "李䶮"])]


def _bytes(tmp_path: Path, content: bytes, name: str = "list.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def _refused(path: Path) -> FileRefused:
    with pytest.raises(FileRefused) as caught:
        list(rows_of(path))
    return caught.value


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert list(rows_of(_bytes(tmp_path, TEXT.encode(encoding)))) == ROWS


def test_gb18030_is_recognised_late_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_CHUNK", 7)  # characters are torn between two reads
    head = "elder_no,name\n" + "".join(f"E{n},Smith\n" for n in range(100))
    for encoding in ("gb18030", "utf-8"):
        rows = list(rows_of(_bytes(tmp_path, (head + "E100,王秀英\n").encode(encoding))))
        assert rows[-1] == (102, ["E100", "王秀英"])


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    text = 'a,b\n"one\ntwo",2\n\n3,4\n'
    assert [line for line, _ in rows_of(_bytes(tmp_path, text.encode()))] == [1, 2, 4, 5]


@pytest.mark.parametrize(
    "content",
    [
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        b"\x00\x01\x02\x03",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100,  # old .xls, or an encrypted .xlsx
        b"PK\x03\x04 and then nothing",
        b"elder_no,name\nE1,\xff\xff\xff\n",
        b'elder_no,name\nE1,"never closed\nE2,x\n',
        b"elder_no,name\nE1," + b"x" * 200_000 + b"\n",
    ],
)
def test_not_a_table(tmp_path: Path, content: bytes) -> None:
    refusal = _refused(_bytes(tmp_path, content))
    assert refusal.zh
    assert refusal.en


def test_unclosed_quote_names_its_line(tmp_path: Path) -> None:
    assert _refused(_bytes(tmp_path, b'a,b\n1,2\n3,"4\n5,6\n')).line == 3


def test_missing_directory_and_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refused(tmp_path / "nothing.csv")
    _refused(tmp_path)
    monkeypatch.setattr(files, "SIZE_LIMIT", 10)
    assert "MB" in _refused(_bytes(tmp_path, TEXT.encode())).zh


def _xlsx(tmp_path: Path, *rows: list[Any]) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    path = tmp_path / "list.xlsx"
    book.save(path)
    return path


def test_xlsx_with_excels_own_types(tmp_path: Path) -> None:
    path = _xlsx(
        tmp_path,
        ["elder_no", "birth_date", "phone", "available_from", "consent_outbound"],
        [1001, date(1940, 5, 6), 13900000001, time(8, 30), True],
    )
    (_, head), (line, cells) = rows_of(path)
    assert list(head) == ["elder_no", "birth_date", "phone", "available_from", "consent_outbound"]
    assert (line, list(cells)) == (2, [1001, datetime(1940, 5, 6), 13900000001, time(8, 30), True])  # noqa: DTZ001


def test_xlsx_by_content_not_by_name(tmp_path: Path) -> None:
    path = _xlsx(tmp_path, ["elder_no", "name"], ["E1", "王秀英"]).rename(tmp_path / "list.csv")
    assert [list(cells) for _, cells in rows_of(path)] == [["elder_no", "name"], ["E1", "王秀英"]]


def _repacked(path: Path, member: str, content: bytes) -> Path:
    out = path.with_name("changed.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == member else old.read(info.filename))
    return out


SHEET = "xl/worksheets/sheet1.xml"


def test_xlsx_entity_bomb_is_refused(tmp_path: Path) -> None:
    bomb = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
    <worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">
    <c r="A1" t="inlineStr"><is><t>&b;</t></is></c></row></sheetData></worksheet>"""
    _refused(_repacked(_xlsx(tmp_path, ["elder_no"]), SHEET, bomb))


def test_xlsx_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _xlsx(tmp_path, ["elder_no", "name"], *([f"E{n}", "王秀英"] for n in range(100)))
    monkeypatch.setattr(xlsx, "UNPACKED_LIMIT", 1000)
    assert "过大" in _refused(path).zh


def test_xlsx_with_a_row_number_beyond_excel_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """openpyxl fills the gap with empty rows: for row 99999999999 it would never end."""
    monkeypatch.setattr(xlsx, "LAST_ROW", 1000)
    far = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
    <row r="99999999999"><c r="A99999999999" t="inlineStr"><is><t>x</t></is></c></row></sheetData></worksheet>"""
    _refused(_repacked(_xlsx(tmp_path, ["elder_no"]), SHEET, far))


def test_xlsx_with_broken_xml_is_refused(tmp_path: Path) -> None:
    _refused(_repacked(_xlsx(tmp_path, ["elder_no"]), SHEET, b"<worksheet><sheetData><row"))
    _refused(_repacked(_xlsx(tmp_path, ["elder_no"]), "xl/workbook.xml", b"not xml"))
