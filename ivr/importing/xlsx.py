"""XLSX by openpyxl, the only module that knows it. openpyxl itself uses defusedxml when that is installed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import openpyxl

from ivr.importing.files import Line
from ivr.importing.report import FileRefused

# Unpacked sizes: a zip of 200 MB could hold terabytes, and the shared strings are held in memory whole.
UNPACKED_LIMIT = 1536 * 1024 * 1024
STRINGS_LIMIT = 192 * 1024 * 1024
COLUMNS_LIMIT = 64
LAST_ROW = 1_048_576


def xlsx_rows(path: Path) -> Iterator[Line]:
    if not openpyxl.DEFUSEDXML:  # pragma: no cover - a broken installation
        raise FileRefused("缺少 defusedxml，不读取 XLSX", "defusedxml is missing: XLSX is not read")
    _refuse_bombs(path)
    return _rows(path)


def _refuse_bombs(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise _unreadable() from None
    strings = sum(info.file_size for info in members if info.filename.lower().endswith("sharedstrings.xml"))
    if sum(info.file_size for info in members) > UNPACKED_LIMIT or strings > STRINGS_LIMIT:
        raise FileRefused("XLSX 解开后过大，请另存为 CSV", "the XLSX unpacks to too much: save it as CSV")


def _rows(path: Path) -> Iterator[Line]:
    with path.open("rb") as file:  # given a name, openpyxl would judge by its ending
        yield from _sheet_rows(file)


def _sheet_rows(file: BinaryIO) -> Iterator[Line]:
    book: Any = None
    try:
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write a wrong one
            rows = sheet.iter_rows(max_col=COLUMNS_LIMIT, values_only=True)
        except Exception:
            raise _unreadable() from None
        number = 0
        while True:
            try:
                cells = next(rows, None)
            except Exception:  # whatever openpyxl meets in a broken or hostile file
                raise _unreadable(number + 1) from None
            if cells is None:
                return
            number += 1
            if number > LAST_ROW:
                raise _unreadable(number)
            width = max((at + 1 for at, cell in enumerate(cells) if cell is not None), default=0)
            yield number, cells[:width]
    finally:
        if book is not None:
            book.close()


def _unreadable(line: int | None = None) -> FileRefused:
    return FileRefused("不是可读的 XLSX 文件", "not a readable XLSX file", line=line)
