"""The columns that were added for helpers and hospitals: optional, checked, and no secret is repeated to anybody."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from ivr.importing import import_file
from ivr.store.db import Store
from ivr.store.journal import Journal
from ivr.store.tables import elder, hospital

SECRET = "agreed-with-the-hospital"


async def test_an_elder_is_bound_to_a_helper_and_a_later_file_without_the_column_leaves_him(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "elders.csv"
    for text in ("elder_no,name,helper_no,access\nE1,王秀英,W7,钥匙在502\n", "elder_no,name\nE1,王秀英\n"):
        file.write_text(text, encoding="utf-8")
        assert (await import_file(store, "elders", file)).ok
        async with store.read() as conn:
            row = (await conn.execute(select(elder))).one()
        assert (row.helper_no, row.access) == ("W7", "钥匙在502")


async def test_a_hospital_has_an_endpoint_and_an_empty_secret_keeps_the_old_one(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "hospitals.csv"
    head = "name,phone,endpoint,push_secret\n"
    for address, secret in (("https://h.example/alarm", SECRET), ("https://new.example/alarm", "")):
        file.write_text(f"{head}静安医院,02155520001,{address},{secret}\n", encoding="utf-8")
        assert (await import_file(store, "hospitals", file)).ok
        async with store.read() as conn:
            row = (await conn.execute(select(hospital))).one()
        assert (row.endpoint, row.push_secret) == (address, SECRET)


async def test_a_wrong_endpoint_or_secret_is_told_by_column_and_repeated_to_nobody(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "hospitals.csv"
    rows = "甲,02155520001,http://plain.example/,secret-too-short-no\n乙,02155520002,https://h.example/,short-one\n"
    file.write_text(f"name,phone,endpoint,push_secret\n{rows}", encoding="utf-8")
    report = await import_file(store, "hospitals", file)
    assert [(one.line, one.column) for one in report.errors] == [(2, "endpoint"), (3, "push_secret")]
    told = str(report) + str([one.data for one in await Journal(store).after(0)])
    assert "plain.example" not in told
    assert "short-one" not in told
