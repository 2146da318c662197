"""The database locked, full or gone: said in time, nothing half stored, and work goes on afterwards."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from ivr.domain.incident import NewAlarm
from ivr.store.db import Store, StoreUnavailable
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.tables import alarm
from tests.store.private_postgres import PrivatePostgres

TIMEOUT_S = 3.0


@pytest.fixture
async def impatient(url: str) -> AsyncIterator[Store]:
    """With the time-out that callers meet."""
    async with Store(url, name="engine", write_timeout_s=TIMEOUT_S) as store:
        yield store


@contextmanager
def _locked(url: str) -> Iterator[None]:
    """Somebody else holds the database's writing side."""
    if url.startswith("sqlite"):
        conn = sqlite3.connect(url.partition("///")[2], isolation_level=None, check_same_thread=False)
        conn.execute("BEGIN IMMEDIATE")
        yield
        conn.execute("ROLLBACK")
        conn.close()
        return
    with psycopg.connect(url.replace("+psycopg", "")) as pg:
        pg.execute("LOCK TABLE event IN EXCLUSIVE MODE")
        yield
        pg.rollback()


async def test_locked_for_five_seconds(impatient: Store, url: str) -> None:
    journal = Journal(impatient)
    with _locked(url):
        until = time.monotonic() + 5
        while time.monotonic() < until:
            asked = time.monotonic()
            with pytest.raises(StoreUnavailable):
                await impatient.write(lambda tx: tx.event("node.stopped"))
            assert time.monotonic() - asked < TIMEOUT_S + 0.5
            assert await journal.last_seq() == 0  # readers are served meanwhile
    released = time.monotonic()
    await impatient.write(lambda tx: tx.event("node.started"))
    assert time.monotonic() - released < TIMEOUT_S
    assert [one.kind for one in await journal.after(0)] == ["node.started"]


async def test_same_alarm_again_after_unavailable_is_one_alarm(impatient: Store, town: None, url: str) -> None:
    """A caller of the API repeats with the same key until told; so does the lifeline's spool."""
    new = NewAlarm("api", "press", elder_no="E1", idempotency_key="K1")
    incidents = SqlIncidents(impatient)
    with _locked(url), pytest.raises(StoreUnavailable):
        await incidents.raise_alarm(new)
    first = await incidents.raise_alarm(new)
    second = await incidents.raise_alarm(new)
    assert first.incident_id == second.incident_id
    assert second.repeated
    async with impatient.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(alarm)) == 1


async def test_many_waiting_writes_all_hear_in_time(impatient: Store, url: str) -> None:
    with _locked(url):
        asked = time.monotonic()
        jobs = [impatient.write(lambda tx: tx.event("node.stopped")) for _ in range(200)]
        results = await asyncio.gather(*jobs, return_exceptions=True)
        assert time.monotonic() - asked < TIMEOUT_S + 1
    assert all(isinstance(result, StoreUnavailable) for result in results)
    await impatient.write(lambda tx: tx.event("node.started"))
    assert [one.kind for one in await Journal(impatient).after(0)] == ["node.started"]


async def test_disk_full(impatient: Store, url: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    journal = Journal(impatient)
    written = 0
    full = _sqlite_full(impatient) if url.startswith("sqlite") else _postgres_full(url, request, tmp_path)
    async with full as make_room:
        with suppress(StoreUnavailable):
            while written < 5000:
                await impatient.write(lambda tx: tx.event("node.started", text="x" * 1900))
                written += 1
        assert 0 < written < 5000
        with pytest.raises(StoreUnavailable):
            await impatient.write(lambda tx: tx.event("node.started", text="x" * 1_000_000))
        assert await journal.last_seq() >= written  # reading goes on
        make_room()
        await impatient.write(lambda tx: tx.event("node.stopped"))
        async with impatient.read() as conn:
            kept = await conn.exec_driver_sql("SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind")
            assert [tuple(row) for row in kept] == [("node.started", written), ("node.stopped", 1)]


@asynccontextmanager
async def _sqlite_full(store: Store) -> AsyncIterator[Callable[[], None]]:
    async def limit(pages: int) -> None:
        await store.write(lambda tx: tx.conn.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())

    now = await store.write(lambda tx: tx.conn.exec_driver_sql("PRAGMA page_count").scalar())
    await limit(int(now or 0) + 40)
    pragma = "PRAGMA max_page_count=1000000"
    # The pragma belongs to the connection, which the writer has given back to the pool after its failure.
    yield lambda: _on_pooled_connection(store, pragma)


def _on_pooled_connection(store: Store, statement: str) -> None:
    with store._writing.connect() as conn:
        conn.exec_driver_sql(statement)


@asynccontextmanager
async def _postgres_full(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], None]]:
    server: PrivatePostgres = request.getfixturevalue("postgres")
    small = server.home / "small"
    if not _mount(small):
        pytest.skip("a file system of 1 MB needs root")
    try:
        space = small / "space"
        space.mkdir(mode=0o700)
        owner = (server.home / "data").stat()
        os.chown(space, owner.st_uid, owner.st_gid)
        with server.admin() as conn:
            conn.execute(f"CREATE TABLESPACE small LOCATION '{space}'".encode())
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute("ALTER TABLE event SET TABLESPACE small")
        yield lambda: _remount(small)
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as conn:
            conn.execute("ALTER TABLE event SET TABLESPACE pg_default")
        with server.admin() as conn:
            conn.execute("CHECKPOINT")
            conn.execute("DROP TABLESPACE small")
    finally:
        _unmount(small)


def _mount(small: Path) -> bool:
    small.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=0777", "tmpfs", str(small)]
    return os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


def _unmount(small: Path) -> None:
    subprocess.run(["umount", "-l", str(small)], check=False, capture_output=True)


def _remount(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)


async def test_lost_connections_cost_no_write(store: Store, url: str, request: pytest.FixtureRequest) -> None:
    """PostgreSQL was restarted: the next call is not the one that finds out."""
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no connections to lose")
    await store.write(lambda tx: tx.event("node.started"))
    journal = Journal(store)
    assert await journal.last_seq() == 1
    await store.look(lambda conn: None)
    server: PrivatePostgres = request.getfixturevalue("postgres")
    with server.admin() as conn:
        name = url.partition("@/")[2].partition("?")[0]
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    await store.write(lambda tx: tx.event("node.started"))
    assert await journal.last_seq() == 2
