"""Files into the database: all good or nothing, upserted, and nobody's calls wait for it."""

from __future__ import annotations

import asyncio
import time
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import select, update

from ivr.errors import UsageError
from ivr.importing import KINDS, Report, import_file
from ivr.importing.demo import load_demo
from ivr.store import people
from ivr.store.db import Store, StoreUnavailable
from ivr.store.journal import Journal
from ivr.store.tables import contact, device, elder, hospital, worker
from tests.store.test_unavailable import _locked


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(text: str, name: str = "list.csv") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return make


async def _all(store: Store, table: Any) -> list[Any]:
    async with store.read() as conn:
        return list(await conn.execute(select(table).order_by(*table.primary_key.columns)))


def _told(report: Report) -> list[tuple[int | None, str | None]]:
    return [(one.line, one.column) for one in report.errors]


ELDERS = "elder_no,name,phone\nE1,王秀英,021-55500001\nE2,张建国,\n"


async def test_elders_arrive_as_we_keep_them(store: Store, write: Any) -> None:
    header = "elder_no,name,sex,birth_date,phone,mobile,address,district,lat,lng,medical,notes,dialect,consent_outbound"
    row = "E1,王秀英,女,1940/5/6,+86 21 5550 0001,138 0000 0001,瑞福里12号,黄浦区,31.22,121.48,高血压,独居,上海话,是"
    report = await import_file(store, "elders", write(f"{header}\n{row}\n"))
    assert (report.ok, report.rows, report.imported, report.added) == (True, 1, 1, 1)
    (found,) = await _all(store, elder)
    assert (found.name, found.sex, str(found.birth_date)) == ("王秀英", "F", "1940-05-06")
    assert (found.phone, found.mobile) == ("02155500001", "13800000001")
    assert (found.lat, found.lng, found.consent_outbound) == (31.22, 121.48, True)
    assert (found.medical, found.notes, found.dialect) == ("高血压", "独居", "上海话")
    assert (await store.look(lambda conn: people.match_number(conn, "02155500001"))).elder_no == "E1"


async def test_journal_has_counts_and_no_people(store: Store, write: Any) -> None:
    await import_file(store, "elders", write(ELDERS))
    (found,) = await Journal(store).after(0)
    assert found.kind == "import.finished"
    assert found.data == {"list": "elders", "rows": 2, "imported": 2, "added": 2, "bad_rows": 0, "refused": False}


async def test_one_bad_row_and_nothing_is_imported(store: Store, write: Any) -> None:
    report = await import_file(store, "elders", write(ELDERS + "E3,,\n"))
    assert not report.ok
    assert (report.rows, report.imported, report.bad_rows) == (3, 0, 1)
    assert _told(report) == [(4, "name")]
    assert await _all(store, elder) == []
    (event,) = await Journal(store).after(0)
    assert (event.data["imported"], event.data["bad_rows"]) == (0, 1)


async def test_partial_imports_the_good_rows_only(store: Store, write: Any) -> None:
    report = await import_file(store, "elders", write(ELDERS + "E3,,\nE4,赵德福,12\n"), partial=True)
    assert (report.ok, report.rows, report.imported, report.bad_rows) == (False, 4, 2, 2)
    assert _told(report) == [(4, "name"), (5, "phone")]
    assert [row.elder_no for row in await _all(store, elder)] == ["E1", "E2"]


async def test_same_key_again_updates_only_the_columns_of_the_file(store: Store, write: Any) -> None:
    first = "elder_no,name,medical,consent_outbound\nE1,王秀英,高血压,是\n"
    await import_file(store, "elders", write(first))
    report = await import_file(store, "elders", write("elder_no,name,phone\nE1,王秀珍,02155500009\nE2,张建国,\n"))
    assert (report.imported, report.added, report.updated) == (2, 1, 1)
    old, new = await _all(store, elder)
    assert (old.name, old.phone, old.medical, old.consent_outbound) == ("王秀珍", "02155500009", "高血压", True)
    assert (new.elder_no, new.medical, new.consent_outbound) == ("E2", None, False)
    await import_file(store, "elders", write("elder_no,name,medical,consent_outbound\nE1,王秀珍,,\n"))
    old = (await _all(store, elder))[0]
    assert (old.medical, old.consent_outbound) == (None, False), "an empty cell empties"


async def test_same_key_twice_in_one_file_is_a_mistake(store: Store, write: Any) -> None:
    text = ELDERS + "E1,别人,\n"
    report = await import_file(store, "elders", write(text))
    assert _told(report) == [(4, "elder_no")]
    assert "第 2 行" in report.errors[0].zh
    assert await _all(store, elder) == []
    report = await import_file(store, "elders", write(text), partial=True)
    assert report.imported == 2
    assert (await _all(store, elder))[0].name == "王秀英"


async def test_contacts_name_a_known_elder_and_come_in_order(store: Store, write: Any) -> None:
    await import_file(store, "elders", write(ELDERS))
    header = "elder_no,name,relation,phone,priority,available_from,available_to\n"
    rows = "E1,林丽,女儿,13900000001,,8:00,20:00\nE2,张伟,儿子,13900000004,,,\nE1,林强,儿子,13900000002,,22:00,06:00\n"
    orphan = "E9,某人,,13900000009,,,\n"
    report = await import_file(store, "contacts", write(header + rows + orphan))
    assert _told(report) == [(5, "elder_no")]
    report = await import_file(store, "contacts", write(header + rows + orphan), partial=True)
    assert (report.imported, report.bad_rows) == (3, 1)
    found = {row.phone: row for row in await _all(store, contact)}
    assert {phone: row.priority for phone, row in found.items()} == {
        "13900000001": 1,
        "13900000002": 2,
        "13900000004": 1,
    }
    assert (found["13900000001"].available_from, found["13900000002"].available_to) == ("08:00", "06:00")

    report = await import_file(store, "contacts", write("elder_no,name,phone\nE1,林丽（新）,139-0000-0001\n"))
    assert (report.added, report.updated) == (0, 1)
    again = {row.phone: row for row in await _all(store, contact)}["13900000001"]
    assert (again.id, again.name, again.relation) == (found["13900000001"].id, "林丽（新）", "女儿")


async def test_devices_workers_hospitals(store: Store, write: Any) -> None:
    await import_file(store, "elders", write(ELDERS))
    report = await import_file(
        store, "devices", write("device_id,kind,elder_no,caller_id\nD1,pendant,E1,147 0000 0004\nD2,smoke,E9,\n")
    )
    assert _told(report) == [(3, "elder_no")]
    await import_file(store, "devices", write("device_id,kind,elder_no,caller_id\nD1,pendant,E1,147 0000 0004\n"))
    assert (await _all(store, device))[0].caller_id == "14700000004"
    assert (await store.look(lambda conn: people.match_number(conn, "14700000004"))).device_id == "D1"
    assert (await import_file(store, "hospitals", write("name,phone\n示例医院,02155520001\n"))).ok
    assert (await _all(store, hospital))[0].phone == "02155520001"


async def test_pin_is_only_kept_as_argon2_and_an_empty_one_keeps_the_old(store: Store, write: Any) -> None:
    assert (await import_file(store, "workers", write("worker_no,name,phone,pin\nW1,马晓燕,13700000001,4711\n"))).ok
    (found,) = await _all(store, worker)
    assert found.pin_hash.startswith("$argon2id$")
    assert "4711" not in str(found)
    assert (await import_file(store, "workers", write("worker_no,name,phone,pin\nW1,马晓红,13700000001,\n"))).ok
    (again,) = await _all(store, worker)
    assert (again.name, again.pin_hash) == ("马晓红", found.pin_hash)
    report = await import_file(store, "workers", write("worker_no,name,phone,pin\nW1,马晓燕,13700000001,12a456\n"))
    assert "12a456" not in str(report)


async def test_wrong_columns_are_one_sentence_and_a_row_in_the_journal(store: Store, write: Any) -> None:
    report = await import_file(store, "elders", write("elder_no,nmae,phone\nE1,王秀英,\n"), partial=True)
    assert (report.refused, report.ok, report.imported) == (True, False, 0)
    (problem,) = report.errors
    assert "缺少 name" in problem.zh
    assert "不认识 nmae" in problem.zh
    assert await _all(store, elder) == []
    (event,) = await Journal(store).after(0)
    assert (event.kind, event.data["refused"]) == ("import.finished", True)


async def test_unknown_kind_is_refused(store: Store, write: Any) -> None:
    with pytest.raises(UsageError):
        await import_file(store, "users", write(ELDERS))


async def test_demo_town_loads_once_and_changes_stay(store: Store) -> None:
    assert await load_demo(store)
    sizes = [len(await _all(store, table)) for table in (elder, contact, device, worker, hospital)]
    assert sizes[0] == 12
    assert all(sizes)
    await store.write(lambda tx: tx.conn.execute(update(elder).values(district="改过")))
    assert not await load_demo(store)
    assert {row.district for row in await _all(store, elder)} == {"改过"}
    assert [len(await _all(store, table)) for table in (elder, contact, device, worker, hospital)] == sizes

    match = await store.look(lambda conn: people.match_number(conn, "02155500001"))
    assert match.elder_no == "E0001"
    assert (await store.look(lambda conn: people.match_number(conn, "02155500002"))).choices == ("E0002", "E0003")
    assert (await store.look(lambda conn: people.match_number(conn, "14700000004"))).is_device
    family = [row for row in await _all(store, contact) if row.elder_no == "E0001"]
    assert sorted((row.priority, row.phone) for row in family) == [
        (1, "13900000001"),
        (2, "13900000002"),
        (3, "13900000003"),
    ]
    with_family = {row.elder_no for row in await _all(store, contact)}
    assert {row.elder_no for row in await _all(store, elder)} - with_family == {"E0004"}


async def test_interrupted_demo_is_finished_next_time(store: Store) -> None:
    await load_demo(store)
    await store.write(lambda tx: tx.conn.execute(hospital.delete()))
    assert await load_demo(store)
    assert len(await _all(store, hospital)) == 4


async def test_long_import_does_not_hold_up_a_call(store: Store, other: Store, write: Any) -> None:
    """Only the last step takes the writing turn, however long the file is read and checked."""
    rows = "".join(f"E{n},王秀英,021555{n:05d}\n" for n in range(10_000))
    path = write("elder_no,name,phone\n" + rows)
    importing = asyncio.create_task(import_file(other, "elders", path))
    began, worst = time.perf_counter(), 0.0
    while not importing.done():
        asked = time.perf_counter()
        await store.write(lambda tx: tx.event("call.arrived"))
        worst = max(worst, time.perf_counter() - asked)
        await asyncio.sleep(0.01)
    took = time.perf_counter() - began
    assert (await importing).imported == 10_000
    assert worst < took / 2, f"a call waited {worst:.2f} s of an import of {took:.2f} s"


async def test_staged_rows_are_not_seen_before_the_end(store: Store, other: Store, write: Any) -> None:
    rows = "".join(f"E{n},王秀英,\n" for n in range(5_000))
    importing = asyncio.create_task(import_file(other, "elders", write("elder_no,name,phone\n" + rows)))
    seen: set[int] = set()
    while not importing.done():
        seen.add(len(await _all(store, elder)))
    await importing
    assert seen <= {0, 5_000}


async def test_same_import_twice_at_once(store: Store, other: Store, write: Any) -> None:
    path = write(ELDERS)
    reports = await asyncio.gather(*(import_file(one, "elders", path) for one in (store, other, store, other)))
    assert all(report.ok for report in reports)
    assert len(await _all(store, elder)) == 2


async def test_locked_database_is_said(store: Store, url: str, write: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.store.dialects.LONG_WAIT_MS", 300)
    path = write(ELDERS)
    with _locked(url), pytest.raises(StoreUnavailable):
        await import_file(store, "elders", path)
    assert (await import_file(store, "elders", path)).ok


def test_every_kind_has_demo_data() -> None:
    root = Path(__file__).resolve().parents[2] / "sql" / "demo"
    assert {path.stem for path in root.glob("*.csv")} == set(KINDS)


async def test_xlsx_as_excel_writes_it(store: Store, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["elder_no", "name", "birth_date", "mobile", "consent_outbound", None])
    sheet.append([1001, "王秀英", date(1940, 5, 6), 13900000001, True, None])
    sheet.append([None, None, None, None, None, None])
    sheet.append([1002, "张建国", 1940, 2155500001, "也许", None])
    path = tmp_path / "elders.xlsx"
    book.save(path)
    report = await import_file(store, "elders", path, partial=True)
    assert _told(report) == [(4, "birth_date"), (4, "mobile"), (4, "consent_outbound")]
    assert (report.rows, report.imported, report.bad_rows) == (2, 1, 1)
    (found,) = await _all(store, elder)
    assert (found.elder_no, str(found.birth_date), found.mobile) == ("1001", "1940-05-06", "13900000001")
