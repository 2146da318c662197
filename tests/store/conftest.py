"""Every storage test runs twice: on SQLite and on a private PostgreSQL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import insert

from ivr.store.db import Store
from ivr.store.legs import SqlLegs
from ivr.store.migrate import upgrade
from ivr.store.tables import contact, device, elder
from ivr.store.tx import Tx
from tests.store.private_postgres import PrivatePostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PrivatePostgres) -> str:
    name = postgres.new_database()
    upgrade(postgres.url(name))
    return name


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "empty.db"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of its own with the newest schema."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/test.db"
        return
    server: PrivatePostgres = request.getfixturevalue("postgres")
    name = server.new_database(request.getfixturevalue("migrated_postgres"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture
def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


@pytest_asyncio.fixture
async def store(url: str) -> AsyncIterator[Store]:
    """As the engine has it; patient, because the test machine may be busy."""
    async with Store(url, name="engine", write_timeout_s=20) as store:
        yield store


@pytest_asyncio.fixture
async def other(url: str) -> AsyncIterator[Store]:
    """As the console has the same database."""
    async with Store(url, name="console", write_timeout_s=20) as store:
        yield store


@pytest.fixture
def legs(store: Store) -> SqlLegs:
    return SqlLegs(store, "node1", "engine-1")


@pytest_asyncio.fixture
async def town(store: Store) -> None:
    """E1 with two contacts and a pendant; E2 and E3, a couple with one landline; E4 without anybody."""

    def change(tx: Tx) -> None:
        people: list[dict[str, object]] = [
            {"elder_no": "E1", "name": "王秀英", "phone": "02155500001", "mobile": "13800000001"},
            {"elder_no": "E2", "name": "张建国", "phone": "02155500002", "mobile": None},
            {"elder_no": "E3", "name": "李桂兰", "phone": "02155500002", "mobile": "13800000003"},
            {"elder_no": "E4", "name": "赵德福", "phone": None, "mobile": "13800000004"},
        ]
        tx.conn.execute(insert(elder), [{**one, "consent_outbound": False} for one in people])
        family = [
            ("C1", "E1", "女儿", "13900000001", 1, None, None),
            ("C2", "E1", "儿子", "13900000002", 2, "08:00", "20:00"),
            ("C3", "E2", "大儿子", "13900000003", 1, None, None),
            ("C4", "E3", "侄女", "13900000004", 2, None, None),
            ("C5", "E3", "大儿子", "13900000003", 1, None, None),
        ]
        names = ("id", "elder_no", "name", "phone", "priority", "available_from", "available_to")
        tx.conn.execute(insert(contact), [dict(zip(names, row, strict=True)) for row in family])
        tx.conn.execute(
            insert(device),
            [
                {"device_id": "D1", "kind": "pendant", "elder_no": "E1", "caller_id": "14700000001"},
                {"device_id": "D2", "kind": "smoke", "elder_no": "E2", "caller_id": None},
            ],
        )

    await store.write(change)
    await asyncio.sleep(0)
