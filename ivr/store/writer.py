"""The one writer of a process: a thread that commits everything waiting in one transaction (group commit).

Each change runs in its own savepoint, so that a burst of calls costs one fsync and one bad change hurts nobody else.
A future resolves only after COMMIT: durable before told.

A thread with a queue of its own: through the loop's executor each commit cost three more hand-overs between threads.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, select

from ivr.clock import clock
from ivr.services.ports import StoreUnavailable
from ivr.store import dialects
from ivr.store.tables import event
from ivr.store.turn import Turn
from ivr.store.tx import EventRow, Tx

log = logging.getLogger(__name__)

# More changes in one transaction would only lengthen everybody's wait: 64 rows commit as fast as one.
BATCH_LIMIT = 64
# How long a change that nobody waits for may wait for another's commit; far below what a person sees.
LATER_S = 0.02
LATER_AGAIN_S = 0.5
LATER_TRIES = 60


@dataclass(slots=True, eq=False)
class Job:
    """`done` is None for a change that nobody waits for; it is tried again while the database is away."""

    change: Callable[[Tx], Any]
    done: asyncio.Future[Any] | None
    tries: int = 0

    @property
    def given_up(self) -> bool:
        return self.done is not None and self.done.done()


_NEWEST = select(event.c.at).order_by(event.c.seq.desc()).limit(1)
_Result = tuple[Any, Exception | None]


class Writer:
    """`told` is called on the loop with the events of each commit."""

    def __init__(self, engine: Engine, turn: Turn, told: Callable[[list[EventRow]], None]) -> None:
        self._engine = engine
        self._turn = turn
        self._told = told
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._conn: Connection | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        self._jobs.put(job)

    async def stop(self) -> None:
        """What was put before is committed first."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        self._engine.dispose()
        self._turn.close()

    # ---- in the thread

    def _run(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if not batch:
                continue
            try:
                with self._turn.taken():
                    results, told = self._commit(batch)
            except Exception as exc:
                self._forget_connection()
                # The exception's text may quote row values: only its class is logged.
                log.error("commit failed: %s", type(exc.__cause__ or exc).__name__)
                results, told = [(None, StoreUnavailable("the database refused the commit"))] * len(batch), []
            self._loop.call_soon_threadsafe(self._deliver, batch, results, told)
        self._forget_connection()

    def _next_batch(self) -> tuple[list[Job], bool]:
        """Everything that waits; when nobody waits for any of it, a moment for somebody who does. False: the end."""
        first = self._jobs.get()
        if first is None:
            return [], False
        batch = [first]
        until = time.monotonic() + LATER_S
        while len(batch) < BATCH_LIMIT:
            try:
                if all(job.done is None for job in batch):
                    job = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
                else:
                    job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return batch, False
            batch.append(job)
        return [job for job in batch if not job.given_up], True

    def _commit(self, jobs: list[Job]) -> tuple[list[_Result], list[EventRow]]:
        conn = self._connection()
        results: list[_Result] = []
        told: list[EventRow] = []
        alone = len(jobs) == 1
        with conn.begin() as transaction:
            dialects.take_turn(conn)
            if clock.is_ahead:  # another process may be further ahead: what is written later must not be earlier
                clock.not_before(conn.scalar(_NEWEST))
            cursor = conn.connection.cursor()
            for job in jobs:
                if job.given_up:  # while we waited for our turn
                    results.append((None, None))
                    continue
                tx = Tx(conn)
                if not alone:
                    cursor.execute("SAVEPOINT job")
                try:
                    value = job.change(tx)
                    tx.flush_events()
                    if job.given_up:
                        raise StoreUnavailable("gave up")  # was told so: undone, only COMMIT itself is a doubt
                except Exception as exc:
                    if dialects.is_unavailable(exc):
                        raise
                    if alone:
                        transaction.rollback()
                    else:
                        cursor.execute("ROLLBACK TO SAVEPOINT job")
                    results.append((None, exc))
                else:
                    results.append((value, None))
                    told += tx.written
                if not alone:
                    cursor.execute("RELEASE SAVEPOINT job")
            cursor.close()
        if dialects.checks_out_each_time(conn):
            self._forget_connection()
        return results, told

    def _connection(self) -> Connection:
        if self._conn is None:
            self._conn = self._engine.connect()
        return self._conn

    def _forget_connection(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            try:
                conn.close()
            except Exception as exc:
                log.warning("a connection did not close: %s", type(exc).__name__)

    # ---- on the loop

    def _deliver(self, batch: list[Job], results: list[_Result], told: list[EventRow]) -> None:
        for job, (value, error) in zip(batch, results, strict=True):
            if job.done is None:
                self._perhaps_again(job, error)
            elif job.done.done():
                continue
            elif error is None:
                job.done.set_result(value)
            else:
                job.done.set_exception(error)
        if told:
            self._told(told)

    def _perhaps_again(self, job: Job, error: Exception | None) -> None:
        if error is None:
            return
        job.tries += 1
        if isinstance(error, StoreUnavailable) and job.tries < LATER_TRIES:
            self._loop.call_later(LATER_AGAIN_S, self._jobs.put, job)
        else:
            log.error("a record was not written: %s", type(error).__name__)
