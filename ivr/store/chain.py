"""Writing the links of incidents' chains, in the transaction of the events themselves.

The head of each chain is on the incident's row: two statements more for each change that tells of an incident, whatever
the number of its events, and none for other changes. Nothing is remembered between transactions, so what is rolled back
leaves no trace. Writers take turns on both databases (`dialects.take_turn`); a head that has moved all the same refuses
the change rather than forking the chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, bindparam, select, update

from ivr.domain.chain import CLOSED, Content, genesis, link_hash
from ivr.store.prepared import Prepared
from ivr.store.tables import event, incident

if TYPE_CHECKING:
    from ivr.store.tx import EventRow

_HEAD = Prepared(
    select(incident.c.chain_after, incident.c.chain_events, incident.c.chain_head).where(
        incident.c.id == bindparam("incident", type_=incident.c.id.type)
    )
)
_NEW_HEAD: dict[str, Any] = {
    "chain_events": bindparam("new_events", type_=incident.c.chain_events.type),
    "chain_head": bindparam("new_head", type_=incident.c.chain_head.type),
}
_SAME = (
    incident.c.id == bindparam("incident", type_=incident.c.id.type),
    incident.c.chain_events == bindparam("old_events", type_=incident.c.chain_events.type),
)
_MOVE = Prepared(update(incident).where(*_SAME).values(_NEW_HEAD))
_SEAL = Prepared(
    update(incident)
    .where(*_SAME)
    .values(
        {
            **_NEW_HEAD,
            "sealed_events": bindparam("sealed_events", type_=incident.c.sealed_events.type),
            "sealed_hash": bindparam("sealed_hash", type_=incident.c.sealed_hash.type),
        }
    )
)
_LAST = Prepared(
    select(event.c.chain_no, event.c.chain_hash)
    .where(event.c.incident_id == bindparam("incident", type_=event.c.incident_id.type), event.c.chain_no.is_not(None))
    .order_by(event.c.seq.desc())
    .limit(1)
)

Link = tuple[int | None, str | None]
NO_LINK: Link = (None, None)


class ChainForked(Exception):
    """Somebody wrote to this incident without his turn. Nothing of this change is stored."""


def links(conn: Connection, rows: Iterable[EventRow]) -> list[Link]:
    """(number, hash) for each event, in order; the incidents' heads are moved on."""
    made: list[Link] = []
    growing: dict[str, _Growing] = {}
    for row in rows:
        if row.incident_id is None:
            made.append(NO_LINK)
            continue
        chain = growing.get(row.incident_id)
        if chain is None:
            chain = growing[row.incident_id] = _Growing(conn, row.incident_id)
        made.append(chain.add(row))
    for chain in growing.values():
        chain.keep(conn)
    return made


class _Growing:
    """One incident's chain within one change."""

    def __init__(self, conn: Connection, incident_id: str) -> None:
        self._id = incident_id
        self._events: int
        self._head: str
        found = _HEAD.first(conn, incident=incident_id)
        self._has_row = found is not None
        if found is None:  # an id of no incident: still a chain, without a head that could be kept
            found = _LAST.first(conn, incident=incident_id)
            self._events, self._head = (found.chain_no, found.chain_hash) if found else (0, genesis(incident_id, 0))
        else:
            self._events = found.chain_events
            self._head = found.chain_head or genesis(incident_id, found.chain_after)
        self._began = self._events
        self._sealed: Link | None = None

    def add(self, row: EventRow) -> Link:
        self._events += 1
        content = Content(
            row.kind, row.at, self._id, row.leg_id, row.call_id, row.ticket_no, row.extension, row.data
        )  # fmt: skip
        self._head = link_hash(self._head, self._events, content)
        if row.kind == CLOSED:
            self._sealed = (self._events, self._head)
        return self._events, self._head

    def keep(self, conn: Connection) -> None:
        if not self._has_row:
            return
        values = {
            "incident": self._id,
            "old_events": self._began,
            "new_events": self._events,
            "new_head": self._head,
        }
        if self._sealed is None:
            moved = _MOVE.run(conn, **values)
        else:
            moved = _SEAL.run(conn, **values, sealed_events=self._sealed[0], sealed_hash=self._sealed[1])
        if moved != 1:
            raise ChainForked(self._id)
