"""What a change sees: the connection, and the journal to write to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ivr import clock
from ivr.store import chain
from ivr.store.prepared import inserting
from ivr.store.tables import event

_NAMES = ("kind", "at", "incident_id", "leg_id", "call_id", "ticket_no", "extension", "data")
_INSERT = inserting(event, *_NAMES)
_INSERT_LINKED = inserting(event, *_NAMES, "chain_no", "chain_hash")


@dataclass(frozen=True, slots=True)
class EventRow:
    kind: str
    at: datetime
    incident_id: str | None
    leg_id: str | None
    call_id: str | None
    ticket_no: str | None
    extension: str | None
    data: dict[str, Any]


class Tx:
    """One change inside a transaction. Events are written with it or not at all."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.now = clock.now()
        self._events: list[EventRow] = []
        self.written: list[EventRow] = []

    def event(
        self,
        kind: str,
        *,
        incident_id: str | None = None,
        leg_id: str | None = None,
        call_id: str | None = None,
        ticket_no: str | None = None,
        extension: str | None = None,
        at: datetime | None = None,
        **data: Any,
    ) -> None:
        """Journal that something happened. `data` is JSON; names and numbers of people do not belong in it."""
        self._events.append(EventRow(kind, at or self.now, incident_id, leg_id, call_id, ticket_no, extension, data))

    def flush_events(self) -> None:
        if not self._events:
            return
        rows: list[dict[str, Any]] = [
            {
                "kind": row.kind,
                "at": row.at,
                "incident_id": row.incident_id,
                "leg_id": row.leg_id,
                "call_id": row.call_id,
                "ticket_no": row.ticket_no,
                "extension": row.extension,
                "data": row.data,
            }
            for row in self._events
        ]
        if any(row.incident_id is not None for row in self._events):
            for row, (number, hash_) in zip(rows, chain.links(self.conn, self._events), strict=True):
                row["chain_no"], row["chain_hash"] = number, hash_
            _INSERT_LINKED.run_many(self.conn, rows)
        else:
            _INSERT.run_many(self.conn, rows)
        self.written += self._events
        self._events.clear()
