"""From a file to the database: every row is checked first, then all good ones go over in one transaction.

Memory is bounded: rows are read in a stream and wait in a temporary table of the database (`ivr.store.staging`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, Table
from ulid import ULID

from ivr.errors import UsageError
from ivr.importing.cells import Cell, text_of
from ivr.importing.files import rows_of
from ivr.importing.report import FileRefused, Problem, Report, shown
from ivr.importing.rows import ContactRow, DeviceRow, ElderRow, HospitalRow, WorkerRow, reason
from ivr.store import tables
from ivr.store.db import Store
from ivr.store.staging import Staging
from ivr.store.tx import Tx
from ivr.store.users import hash_secret

CHUNK = 2000


@dataclass(frozen=True, slots=True)
class _Plan:
    model: type[BaseModel]
    table: Table
    key: tuple[str, ...]
    names_elder: bool = False

    @property
    def columns(self) -> list[str]:
        return list(self.model.model_fields)

    @property
    def required(self) -> list[str]:
        return [name for name, field in self.model.model_fields.items() if field.is_required()]


_PLANS = {
    "elders": _Plan(ElderRow, tables.elder, ("elder_no",)),
    "contacts": _Plan(ContactRow, tables.contact, ("elder_no", "phone"), names_elder=True),
    "devices": _Plan(DeviceRow, tables.device, ("device_id",), names_elder=True),
    "workers": _Plan(WorkerRow, tables.worker, ("worker_no",)),
    "hospitals": _Plan(HospitalRow, tables.hospital, ("name",)),
}
KINDS = tuple(_PLANS)


async def import_file(store: Store, kind: str, path: Path | str, *, partial: bool = False) -> Report:
    """Import one file; with any bad row nothing, or with `partial` the good rows only.

    Within a file the same key twice is an error; the same key in a later file changes the row, but only in the columns
    that the file has. The journal gets `import.finished` with counts, whatever came of it.

    Raises:
        StoreUnavailable: nothing was imported.
        UsageError: no such kind.
    """
    if kind not in _PLANS:
        raise UsageError(f"不能导入 {kind}", f"cannot import {kind}: one of {', '.join(KINDS)}")
    report = Report(kind)
    try:
        await store.bulk(lambda conn: _import(conn, _PLANS[kind], Path(path), partial, report))
    except FileRefused as refusal:
        report.refused = True
        report.add(Problem(refusal.line, None, None, refusal.zh, refusal.en))
    if not report.imported:
        await store.write(lambda tx: _tell(tx, report))
    return report


def _tell(tx: Tx, report: Report) -> None:
    tx.event(**_finished(report))


def _finished(report: Report) -> dict[str, Any]:
    return {
        "kind": "import.finished",
        "list": report.kind,
        "rows": report.rows,
        "imported": report.imported,
        "added": report.added,
        "bad_rows": report.bad_rows,
        "refused": report.refused,
    }


def _import(conn: Connection, plan: _Plan, path: Path, partial: bool, report: Report) -> None:
    rows = rows_of(path)
    header = _header(rows, plan, report.kind)
    with Staging(conn, plan.table, plan.key) as staging:
        chunk: list[dict[str, Any]] = []
        for line, cells in rows:
            row = _checked(line, cells, header, plan, report)
            if row is not None:
                chunk.append(_stored(line, row, keep_secrets=partial or not report.bad_rows))
            if len(chunk) >= CHUNK:
                staging.add(chunk)
                chunk.clear()
        if chunk:
            staging.add(chunk)
        _check_together(staging, plan, report)
        if report.bad_rows and not partial:
            return
        if plan.model is ContactRow:
            staging.number_by_order("priority", within="elder_no")
        total, there = staging.counts()
        if not total:
            return
        report.imported, report.added = total, total - there
        try:
            change = ["pin_hash" if name == "pin" else name for name in header]
            staging.merge(change, keep_if_empty=("pin_hash", "push_secret"), event=_finished(report))
        except BaseException:
            report.imported = report.added = 0
            raise


def _header(rows: Iterator[tuple[int, Sequence[Cell]]], plan: _Plan, kind: str) -> list[str]:
    """The columns of the file, or the one sentence that says what is wrong with them."""
    _, cells = next(rows, (0, ()))
    names = [text_of(cell).strip().lower() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise FileRefused("文件是空的", "the file is empty")
    wrong: list[tuple[str, str]] = []
    for zh, en, found in (
        ("缺少", "missing", [name for name in plan.required if name not in names]),
        ("不认识", "unknown", [shown("", name) or "" for name in names if name and name not in plan.columns]),
        ("重复", "repeated", sorted({name for name in names if name and names.count(name) > 1})),
        ("没有名称", "without a name", [f"第 {at + 1} 列" for at, name in enumerate(names) if not name]),
    ):
        if found:
            listed = ", ".join(found[:20])
            wrong.append((f"{zh} {listed}", f"{en}: {listed}"))
    if wrong:
        zh = "；".join(part for part, _ in wrong)
        en = "; ".join(part for _, part in wrong)
        possible = ",".join(plan.columns)
        raise FileRefused(f"{kind} 的列不对：{zh}（可用的列：{possible}）", f"wrong columns for {kind}: {en}", line=1)
    return names


def _checked(line: int, cells: Sequence[Cell], header: list[str], plan: _Plan, report: Report) -> BaseModel | None:
    if all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells):
        return None
    report.rows += 1
    extra = [cell for cell in cells[len(header) :] if cell not in (None, "")]
    if extra:
        report.bad_rows += 1
        report.add(Problem(line, None, None, "这一行的格数比表头多", "this row has more cells than the header"))
        return None
    named = dict(zip(header, cells, strict=False))
    for name in plan.required:
        named.setdefault(name, None)  # a short row
    try:
        return plan.model.model_validate(named)
    except ValidationError as error:
        report.bad_rows += 1
        for item in error.errors(include_url=False):
            column, zh, en = reason(item)
            value = shown(column, text_of(named.get(column))) if column else None
            report.add(Problem(line, column, value, zh, en))
        return None


def _stored(line: int, row: BaseModel, *, keep_secrets: bool) -> dict[str, Any]:
    values = row.model_dump()
    values["line"] = line
    if isinstance(row, ContactRow):
        values["id"] = str(ULID())
    if isinstance(row, WorkerRow):
        pin = values.pop("pin")
        # 50 ms each: not for a file that is refused already.
        values["pin_hash"] = hash_secret(pin) if pin and keep_secrets else None
    return values


def _check_together(staging: Staging, plan: _Plan, report: Report) -> None:
    """What no row shows by itself: the same key twice, an elder nobody knows."""
    column = plan.key[-1]
    for line, first, key in staging.drop_repeated():
        report.bad_rows += 1
        report.add(Problem(line, column, shown(column, key), f"与第 {first} 行重复", f"the same as line {first}"))
    if not plan.names_elder:
        return
    for line, elder_no in staging.drop_orphans():
        report.bad_rows += 1
        report.add(
            Problem(
                line, "elder_no", shown("elder_no", elder_no), "没有这位老人，请先导入", "no such elder: import first"
            )
        )
