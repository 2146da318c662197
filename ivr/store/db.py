"""Connections and the one writer of a process.

Every change goes through `Store.write`: closures queue up, and one thread runs all that wait in one transaction (group
commit), each in its own savepoint, so that a burst of calls costs one fsync and one bad closure hurts nobody else.
A future resolves only after COMMIT: durable before told.

Changes are plain functions run in the writer's thread, not coroutines: through aiosqlite each statement is four
thread hops, and 300 tickets took 5.8 s where this takes a fraction (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy import event as sa_event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, QueuePool

from ivr.services.ports import StoreUnavailable
from ivr.store import dialects
from ivr.store.doorbell import Doorbell
from ivr.store.tx import EventRow, Tx

log = logging.getLogger(__name__)
T = TypeVar("T")

# More closures in one transaction would only lengthen everybody's wait: 64 rows commit as fast as one.
BATCH_LIMIT = 64


@dataclass(slots=True)
class _Job:
    change: Callable[[Tx], Any]
    done: asyncio.Future[Any]


_Result = tuple[Any, Exception | None]


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
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "store-writer")
        self._looker = ThreadPoolExecutor(1, "store-looker")
        self._pages = _async_engine(url)
        self._looking = sync_engine(url, "BEGIN", steady=True)
        self._writing = sync_engine(url, "BEGIN IMMEDIATE")

    async def __aenter__(self) -> Store:
        await self.doorbell.open()
        self._task = asyncio.create_task(self._write_loop(), name="store-writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.doorbell.close()
        await self._pages.dispose()
        for thread, engine in ((self._thread, self._writing), (self._looker, self._looking)):
            await asyncio.get_running_loop().run_in_executor(thread, engine.dispose)
            thread.shutdown(wait=False)

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
        job = _Job(change, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        try:
            async with asyncio.timeout(self.write_timeout_s):
                return await job.done  # type: ignore[no-any-return]
        except TimeoutError:
            raise StoreUnavailable(f"no commit within {self.write_timeout_s:g} s") from None

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

    async def _write_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._jobs.get()]
            while len(batch) < BATCH_LIMIT and not self._jobs.empty():
                batch.append(self._jobs.get_nowait())
            batch = [job for job in batch if not job.done.done()]  # those that gave up waiting
            if not batch:
                continue
            try:
                results, told = await loop.run_in_executor(self._thread, self._commit, batch)
            except Exception as exc:
                # The exception's text may quote row values: only its class is logged.
                log.error("commit failed: %s", type(exc.__cause__ or exc).__name__)
                results, told = [(None, StoreUnavailable("the database refused the commit"))] * len(batch), []
            for job, (value, error) in zip(batch, results, strict=True):
                if job.done.done():
                    continue
                if error is None:
                    job.done.set_result(value)
                else:
                    job.done.set_exception(error)
            if told:
                self.doorbell.ring(ourselves=any(map(self.concerns_us, told)))

    def _commit(self, jobs: list[_Job]) -> tuple[list[_Result], list[EventRow]]:
        results: list[_Result] = []
        told: list[EventRow] = []
        with self._writing.connect() as conn, conn.begin():
            dialects.take_turn(conn)
            for job in jobs:
                if job.done.done():  # gave up while we waited for our turn
                    results.append((None, None))
                    continue
                tx = Tx(conn)
                # By hand: SQLAlchemy's own savepoints cost as much as a small change.
                conn.exec_driver_sql("SAVEPOINT job")
                try:
                    value = job.change(tx)
                    tx.flush_events()
                    if job.done.done():
                        raise StoreUnavailable("gave up")  # was told so: undone, only COMMIT itself is a doubt
                except Exception as exc:
                    if dialects.is_unavailable(exc):
                        raise
                    conn.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
                    results.append((None, exc))
                else:
                    results.append((value, None))
                    told += tx.written
                conn.exec_driver_sql("RELEASE SAVEPOINT job")
        return results, told


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
        conn.exec_driver_sql(begin)

    sa_event.listen(engine, "begin", on_begin)


__all__ = ["Store", "StoreUnavailable"]
