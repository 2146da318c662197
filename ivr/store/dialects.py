"""The only SQL that differs between SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

_JOURNAL_LOCK = 0x59494E4C  # "YINL"


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


def lock_journal(conn: Connection) -> None:
    """Make `event.seq` the order of commits: a reader that has seen N must never meet a later N-1.

    SQLite has one writer anyway. PostgreSQL hands out sequence numbers before commit, so writers of events take turns.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _JOURNAL_LOCK})


def is_unavailable(exc: BaseException) -> bool:
    """True when the database, not the change, is at fault: locked, full, read-only, gone."""
    if isinstance(exc, InterfaceError | OSError):
        return True
    if isinstance(exc, DBAPIError) and exc.connection_invalidated:
        return True
    return isinstance(exc, OperationalError)


def connect_args(url: str) -> dict[str, Any]:
    """Bounded waits everywhere: a caller hangs behind the database."""
    if url.startswith("sqlite"):
        # One connection serves one thread at a time (pool), but SQLite's own check counts threads, not time.
        return {"timeout": 2.0, "check_same_thread": False}
    return {"connect_timeout": 5, "options": "-c statement_timeout=5000 -c lock_timeout=2000"}
