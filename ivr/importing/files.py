"""A file as rows of cells with their line numbers; CSV in the encodings that Chinese Excel writes, or XLSX."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from ivr.importing.cells import Cell
from ivr.importing.report import FileRefused

SIZE_LIMIT = 200 * 1024 * 1024
_CHUNK = 1 << 20
_ZIP = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

Line = tuple[int, Sequence[Cell]]


def rows_of(path: Path) -> Iterator[Line]:
    """(line number, cells) from the header on.

    Raises:
        FileRefused: at once or while reading; the file cannot be read as a table.
    """
    try:
        if not path.is_file():
            raise FileRefused(f"找不到文件 {path.name}", f"no such file: {path.name}")
        if path.stat().st_size > SIZE_LIMIT:
            limit = SIZE_LIMIT // (1024 * 1024)
            raise FileRefused(f"文件超过 {limit} MB", f"the file is larger than {limit} MB")
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise FileRefused(f"文件无法读取：{error.strerror}", f"the file cannot be read: {error.strerror}") from None
    if head == _ZIP:
        from ivr.importing.xlsx import xlsx_rows  # openpyxl takes 0.2 s to load

        return xlsx_rows(path)
    if head == _OLD_EXCEL:
        raise FileRefused(
            "这是旧版 Excel 文件（.xls）或加密的文件，请另存为 .xlsx 或 CSV",
            "this is an old .xls or an encrypted file: save it as .xlsx or CSV",
        )
    if head[:2] in _UTF16 or b"\x00" in head:
        raise FileRefused(
            "不是 CSV 或 XLSX 文件（UTF-16 文本请另存为“CSV UTF-8”）",
            "not a CSV or XLSX file (save UTF-16 text as “CSV UTF-8”)",
        )
    return _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[Line]:
    encoding = _encoding(path)
    before = 0
    with path.open(encoding=encoding, newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            for cells in reader:
                yield before + 1, cells
                before = reader.line_num
        except csv.Error:
            raise FileRefused(
                "引号不配对或单元格过长", "a quote is not closed, or a cell is too long", line=before + 1
            ) from None


def _encoding(path: Path) -> str:
    """UTF-8 when all of it is UTF-8, else GB18030, which Chinese Excel writes; never a guess that loses characters."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)("strict")
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    decoder.decode(chunk)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise FileRefused("文字编码既不是 UTF-8 也不是 GB18030", "the text is neither UTF-8 nor GB18030")
