"""Connections of a process: readers of pages, the look on the hot path, and the one writer (`writer.py`).

Changes are plain functions run in the writer's thread, not coroutines: through aiosqlite each statement is four
thread hops, and 300 tickets took 5.8 s where this takes a fraction (docs/performance.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as sa_event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from ivr.services.ports import StoreUnavailable
from ivr.store import dialects
from ivr.store.doorbell import Doorbell
from ivr.store.turn import Turn
from ivr.store.tx import EventRow, Tx
from ivr.store.writer import Job, Writer

T = TypeVar("T")


class Store:
    """Open with `async with Store(url) as store`.

    Args:
        url: `sqlite+aiosqlite:///…` or `postgresql+psycopg://…`.
        name: who we are to the doorbell (`engine`, `console`, …).
        write_timeout_s: how long a write waits before `StoreUnavailable`; a caller waits behind it.
    """

    def __init__(self, url: str, *, name: str = "tool", write_timeout_s: float = 3.0) -> None:
        self.url = url
        self.write_timeout_s = write_timeout_s
        self.doorbell = Doorbell(url, name)
        self.concerns_us: Callable[[EventRow], bool] = lambda _row: True
        """Which of our own events our own follower has to read; set by it."""
        self._looker = ThreadPoolExecutor(1, "store-looker")
        self._pages = _async_engine(url)
        self._looking = sync_engine(url, "BEGIN", steady=True)
        self._writing = sync_engine(url, "BEGIN IMMEDIATE")
        self._writer = Writer(self._writing, Turn(url), self._tell)

    async def __aenter__(self) -> Store:
        await self.doorbell.open()
        self._writer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._writer.stop()
        self.doorbell.close()
        await self._pages.dispose()
        await asyncio.get_running_loop().run_in_executor(self._looker, self._looking.dispose)
        self._looker.shutdown(wait=False)

    def _tell(self, told: list[EventRow]) -> None:
        self.doorbell.ring(ourselves=any(map(self.concerns_us, told)))

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading; sees everything committed before it began."""
        async with self._pages.connect() as conn:
            yield conn

    async def look(self, query: Callable[[Connection], T]) -> T:
        """A consistent read on the hot path: one thread hop for all its statements. Raises StoreUnavailable."""

        def run() -> T:
            try:
                with self._looking.connect() as conn:
                    return query(conn)
            except Exception as exc:
                if dialects.is_unavailable(exc):
                    raise StoreUnavailable(f"the database refused: {type(exc).__name__}") from exc
                raise

        return await asyncio.get_running_loop().run_in_executor(self._looker, run)

    async def write(self, change: Callable[[Tx], T]) -> T:
        """Run `change` inside a transaction (in the writer's thread) and return its result after COMMIT.

        Raises:
            StoreUnavailable: locked, full or gone for longer than `write_timeout_s`; nothing was stored,
                except that a commit that was under way when time ran out may still land: callers use idempotent keys.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.put(Job(change, done))
        try:
            async with asyncio.timeout(self.write_timeout_s):
                return await done
        except TimeoutError:
            raise StoreUnavailable(f"no commit within {self.write_timeout_s:g} s") from None

    def write_later(self, change: Callable[[Tx], object]) -> None:
        """A change that nobody waits for: committed with the next one, within some 20 ms; tried again for half a
        minute while the database is away, then logged. For stamps that can be told from other records, no more."""
        self._writer.put(Job(change, None))

    async def bulk(self, job: Callable[[Connection], T]) -> T:
        """A long job in a thread and on a connection of its own; it begins and commits its own transactions.

        What it stages must not hold the database's one writing turn: other processes' calls wait behind that.

        Raises:
            StoreUnavailable: the database, not the job, is at fault.
        """

        def run() -> T:
            engine = sync_engine(self.url, "BEGIN")
            try:
                with engine.connect() as conn:
                    return job(conn)
            except Exception as exc:
                if dialects.is_unavailable(exc):
                    raise StoreUnavailable(f"the database refused: {type(exc).__name__}") from exc
                raise
            finally:
                engine.dispose()

        result = await asyncio.to_thread(run)
        self.doorbell.ring()
        return result


def _async_engine(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=4,
        max_overflow=4,
        poolclass=AsyncAdaptedQueuePool,
        hide_parameters=True,  # an error's text may be logged, people's numbers may not
        **dialects.steady_reads(url, True),
        pool_pre_ping=url.startswith("postgresql"),
        connect_args=dialects.connect_args(url),
    )
    _prepare(engine.sync_engine, "BEGIN")
    return engine


def sync_engine(url: str, begin: str, *, steady: bool = False) -> Engine:
    """`steady`: all statements of one transaction see the same state (SQLite's always do)."""
    engine = create_engine(
        url.replace("+aiosqlite", ""),
        pool_size=1,
        max_overflow=0,
        poolclass=QueuePool,
        hide_parameters=True,
        **dialects.steady_reads(url, steady),
        pool_pre_ping=url.startswith("postgresql"),  # a restarted server must not cost a call its first write
        connect_args=dialects.connect_args(url),
    )
    _prepare(engine, begin)
    return engine


def _prepare(engine: Engine, begin: str) -> None:
    if engine.dialect.name != "sqlite":
        return
    sa_event.listen(engine, "connect", dialects.sqlite_on_connect)

    def on_begin(conn: Connection) -> None:
        conn.connection.cursor().execute(begin)  # through SQLAlchemy it costs 0.1 ms a commit

    sa_event.listen(engine, "begin", on_begin)


__all__ = ["Store", "StoreUnavailable"]
