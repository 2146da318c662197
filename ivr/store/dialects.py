"""The only SQL that differs between SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Table, func, or_, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

_WRITER_LOCK = 0x59494E4C  # "YINL"


def sqlite_on_connect(dbapi_connection: Any, _record: object) -> None:
    """WAL with FULL sync: every commit survives a power cut (NORMAL would lose the last ones)."""
    # None: the driver must not open transactions by itself, we say BEGIN IMMEDIATE ourselves.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=2000",
        "wal_autocheckpoint=2000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


LONG_WAIT_MS = 20_000  # how long an import waits for its turn


def take_turn(conn: Connection) -> None:
    """One writing transaction at a time on both databases; comes before the first row that calls write too.

    SQLite's BEGIN IMMEDIATE does it. On PostgreSQL the same rule makes `event.seq` the order of commits (it hands out
    sequence numbers before commit; a reader that has seen N must never meet a later N-1), keeps "look, then write"
    true between engine and console (one elder, one open incident; one key, one alarm), and two processes cannot
    deadlock, as they would if the turn were taken after the first row.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK})


def checks_out_each_time(conn: Connection) -> bool:
    """Whether a connection goes back to the pool after each commit. A PostgreSQL server that was restarted must be
    noticed before somebody's write, by the pool's ping; SQLite's connection is a file, and keeping it saves 0.1 ms."""
    return conn.dialect.name == "postgresql"


def take_import_turn(conn: Connection) -> None:
    """One import at a time, without the writing turn: updating 100,000 rows takes PostgreSQL seconds, and nobody's call
    writes those tables. SQLite knows one writer only; there the rows are written in about a second."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _WRITER_LOCK + 1})


def be_patient(conn: Connection) -> None:
    """For a long job on a connection of its own (an import): nobody's call waits behind it."""
    if conn.dialect.name == "postgresql":
        conn.execute(text("SET statement_timeout = 0"))
        conn.execute(text(f"SET lock_timeout = {LONG_WAIT_MS}"))
    else:
        conn.exec_driver_sql(f"PRAGMA busy_timeout={LONG_WAIT_MS}")
        conn.exec_driver_sql("PRAGMA temp_store=FILE")


def steady_reads(url: str, wanted: bool) -> dict[str, Any]:
    """PostgreSQL's default shows each statement a newer state: legs of one moment, their attempts of another."""
    return {"isolation_level": "REPEATABLE READ"} if wanted and url.startswith("postgresql") else {}


def before_migration(conn: Connection) -> None:
    """SQLite changes a table by copying it and dropping the old one: with foreign keys on, that DROP would delete
    every contact and device of the elders. The pragma does nothing inside a transaction, hence before BEGIN."""
    if conn.dialect.name == "sqlite":
        cursor = conn.connection.cursor()
        cursor.execute("PRAGMA foreign_keys=OFF")
        cursor.close()


def upsert(
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    source: Select[Any],
    *,
    key: Sequence[str],
    change: Sequence[str],
    keep_if_empty: Sequence[str] = (),
) -> None:
    """INSERT … SELECT; a row whose key is there already gets the `change` columns, except empty ones to be kept.

    `source` needs a WHERE: without one SQLite reads ON CONFLICT as the ON of a join.
    """
    insert: Any = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).from_select(list(columns), source, include_defaults=False)
    if change:
        new = {name: statement.excluded[name] for name in change}
        new |= {name: func.coalesce(new[name], table.c[name]) for name in keep_if_empty if name in new}
        differs = or_(*(table.c[name].is_distinct_from(value) for name, value in new.items()))
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=new, where=differs)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    conn.execute(statement)


def is_unavailable(exc: BaseException) -> bool:
    """True when the database, not the change, is at fault: locked, full, read-only, gone."""
    if isinstance(exc, InterfaceError | OSError):
        return True
    if isinstance(exc, DBAPIError) and exc.connection_invalidated:
        return True
    # A prepared statement's errors are the driver's own, by the names that every driver has (PEP 249).
    return isinstance(exc, OperationalError) or any(
        kind.__name__ in ("OperationalError", "InterfaceError") for kind in type(exc).__mro__
    )


def connect_args(url: str) -> dict[str, Any]:
    """Bounded waits everywhere: a caller hangs behind the database."""
    if url.startswith("sqlite"):
        # One connection serves one thread at a time (pool), but SQLite's own check counts threads, not time.
        return {"timeout": 2.0, "check_same_thread": False}
    return {"connect_timeout": 5, "options": "-c statement_timeout=5000 -c lock_timeout=2000"}
