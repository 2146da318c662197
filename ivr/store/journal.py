"""Reading the journal: as a feed after a cursor, and live."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from ivr.store.db import Store
from ivr.store.tables import event
from ivr.store.tx import Tx

log = logging.getLogger(__name__)


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

    async def after(self, seq: int, limit: int = 500, *, incident_id: str | None = None) -> list[Event]:
        """Events with a greater sequence number, oldest first."""
        query = select(event).where(event.c.seq > seq).order_by(event.c.seq).limit(limit)
        if incident_id is not None:
            query = query.where(event.c.incident_id == incident_id)
        async with self._store.read() as conn:
            return [_event(row) for row in await conn.execute(query)]

    async def follow(self, seq: int) -> AsyncIterator[list[Event]]:
        """Batches of new events as they are committed, for ever. One follower per process: it owns the doorbell."""
        while True:
            try:
                batch = await self.after(seq)
            except (SQLAlchemyError, OSError) as exc:
                log.warning("the journal cannot be read: %s", type(exc).__name__)
                batch = []
            if batch:
                seq = batch[-1].seq
                yield batch
            else:
                await self._store.doorbell.wait()

    async def note(self, kind: str, **fields: Any) -> None:
        """Journal something that has no row of its own (`node.started`, a refused request)."""

        def change(tx: Tx) -> None:
            tx.event(kind, **fields)

        await self._store.write(change)
