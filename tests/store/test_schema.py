"""The migrations make exactly the tables that the code knows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, select, text

from ivr.store.db import Store, sync_engine
from ivr.store.journal import Journal
from ivr.store.migrate import alembic_config, upgrade
from ivr.store.tables import counter, event, metadata
from ivr.store.tx import Tx
from tests.store.private_postgres import PrivatePostgres


async def test_migrated_schema_equals_the_tables(store: Store) -> None:
    def differences(conn: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata))

    assert await store.look(differences) == []


def test_down_to_nothing_and_up_again(url: str) -> None:
    command.downgrade(alembic_config(url), "base")
    engine = sync_engine(url, "BEGIN")
    with engine.connect() as conn:
        assert inspect(conn).get_table_names() == ["alembic_version"]
    engine.dispose()
    upgrade(url)
    upgrade(url)  # again is nothing


def test_a_failed_migration_leaves_nothing(tmp_path: Path, postgres: PrivatePostgres) -> None:
    """Half a schema would stop every later start."""
    for url in (f"sqlite+aiosqlite:///{tmp_path}/half.db", postgres.url(postgres.new_database())):
        engine = sync_engine(url, "BEGIN")
        with engine.begin() as conn:
            conn.execute(text("CREATE TABLE worker (x INTEGER)"))  # in the way of the eleventh table
        with pytest.raises(Exception, match="already exists"):
            upgrade(url)
        with engine.begin() as conn:
            assert inspect(conn).get_table_names() == ["worker"]
            conn.execute(text("DROP TABLE worker"))
        engine.dispose()
        upgrade(url)


async def test_time_comes_back_as_the_same_instant_in_utc(store: Store) -> None:
    there = datetime(2024, 2, 29, 7, 30, 1, 123456, tzinfo=timezone(timedelta(hours=8)))
    await store.write(lambda tx: tx.event("node.started", at=there))
    (found,) = await Journal(store).after(0)
    assert found.at == there
    assert found.at.utcoffset() == timedelta(0)
    assert found.at.hour == 23
    async with store.read() as conn:
        assert await conn.scalar(select(event.c.seq).where(event.c.at == there.astimezone(UTC))) == found.seq


async def test_naive_time_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="naive"):
        await store.write(lambda tx: tx.event("node.started", at=datetime(2024, 2, 29)))  # noqa: DTZ001
    assert await Journal(store).last_seq() == 0


async def test_every_commit_is_synced(store: Store, is_sqlite: bool) -> None:
    def setting(tx: Tx) -> str:
        if is_sqlite:
            sync = tx.conn.exec_driver_sql("PRAGMA synchronous").scalar()
            mode = tx.conn.exec_driver_sql("PRAGMA journal_mode").scalar()
            return f"{sync} {mode} {tx.conn.exec_driver_sql('PRAGMA foreign_keys').scalar()}"
        shown = [tx.conn.execute(text(f"SHOW {name}")).scalar() for name in ("fsync", "synchronous_commit")]
        return " ".join(map(str, shown))

    assert await store.write(setting) == ("2 wal 1" if is_sqlite else "on on")


async def test_what_was_read_does_not_change_under_the_reader(store: Store) -> None:
    await store.write(lambda tx: tx.conn.execute(insert(counter).values(name="x", value=1)))
    async with store.read() as conn:
        assert await conn.scalar(select(counter.c.value)) == 1
        await store.write(lambda tx: tx.conn.execute(counter.update().values(value=2)))
        seen = await conn.scalar(select(counter.c.value))
    assert seen == 1
    async with store.read() as conn:
        assert await conn.scalar(select(counter.c.value)) == 2


def test_only_one_module_speaks_a_dialect() -> None:
    """SQL that differs between the two databases sits in `ivr/store/dialects.py`."""
    root = Path(__file__).resolve().parents[2] / "ivr"
    speaks = re.compile(r"dialects import (postgresql|sqlite)|PRAGMA|pg_advisory|dialect\.name")
    found = {path.relative_to(root).as_posix() for path in root.rglob("*.py") if speaks.search(path.read_text())}
    assert found <= {"store/dialects.py", "store/db.py"}
