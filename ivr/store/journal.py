"""Reading the journal: as a feed after a cursor, and live."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from ivr.clock import clock
from ivr.store.db import Store, StoreUnavailable
from ivr.store.tables import event
from ivr.store.tx import Tx

log = logging.getLogger(__name__)

BATCH = 500
_LAST = select(func.max(event.c.seq))
_FEED = (
    select(event)
    .where(event.c.seq > bindparam("seq"), event.c.seq <= bindparam("last"))
    .order_by(event.c.seq)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Event:
    seq: int
    at: datetime
    kind: str
    incident_id: str | None
    leg_id: str | None
    call_id: str | None
    ticket_no: str | None
    extension: str | None
    data: dict[str, Any]


def _event(row: Any) -> Event:
    return Event(
        row.seq, row.at, row.kind, row.incident_id, row.leg_id, row.call_id, row.ticket_no, row.extension, row.data
    )


class Journal:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def last_seq(self) -> int:
        async with self._store.read() as conn:
            return await conn.scalar(select(func.max(event.c.seq))) or 0

    async def last_at(self) -> datetime | None:
        """The newest stamp on record: where our time goes on (`ivr.clock`)."""
        async with self._store.read() as conn:
            return await conn.scalar(select(event.c.at).order_by(event.c.seq.desc()).limit(1))

    async def after(self, seq: int, limit: int = 500, *, incident_id: str | None = None) -> list[Event]:
        """Events with a greater sequence number, oldest first."""
        query = select(event).where(event.c.seq > seq).order_by(event.c.seq).limit(limit)
        if incident_id is not None:
            query = query.where(event.c.incident_id == incident_id)
        async with self._store.read() as conn:
            return [_event(row) for row in await conn.execute(query)]

    async def follow(self, seq: int, *, besides_incidents: Collection[str] | None = None) -> AsyncIterator[list[Event]]:
        """Batches of new events as they are committed, for ever. One follower per process: it owns the doorbell.

        `besides_incidents`: only events of incidents, and of these kinds; the others are not even read.
        """
        query = _FEED
        if besides_incidents is not None:
            query = query.where(or_(event.c.incident_id.is_not(None), event.c.kind.in_(besides_incidents)))
            self._store.concerns_us = lambda row: row.incident_id is not None or row.kind in besides_incidents

        def new(conn: Connection) -> tuple[list[Event], int]:
            last = conn.scalar(_LAST) or seq
            if last <= seq:
                return [], seq
            return [_event(row) for row in conn.execute(query, {"seq": seq, "last": last, "limit": BATCH})], last

        while True:
            batch: list[Event] = []
            last = seq
            try:
                batch, last = await self._store.look(new)
            except (SQLAlchemyError, StoreUnavailable, OSError) as exc:
                log.warning("the journal cannot be read: %s", type(exc).__name__)
            seq = batch[-1].seq if len(batch) == BATCH else last
            if batch:
                clock.not_before(max(one.at for one in batch))
                yield batch
            if len(batch) < BATCH:
                await self._store.doorbell.wait()

    async def note(self, kind: str, **fields: Any) -> None:
        """Journal something that has no row of its own (`node.started`, a refused request)."""

        def change(tx: Tx) -> None:
            tx.event(kind, **fields)

        await self._store.write(change)
