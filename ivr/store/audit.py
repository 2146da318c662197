"""Reading chains for `ivr audit`: also of a database that somebody has meddled with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from ivr.domain.chain import Chain, Content, Row
from ivr.store import dialects
from ivr.store.db import Store
from ivr.store.tables import event, incident

_LINK = (event.c.seq, event.c.chain_no, event.c.chain_hash)
_UNREADABLE = Content("", datetime(1970, 1, 1, tzinfo=UTC), "")
"""Stands for a row whose cells are not what they can be: its hash fits no link."""


class SqlChains:
    """Implements the `Chains` port of `ivr.record.verify`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def ids(self) -> list[str]:
        def job(conn: Connection) -> list[str]:
            dialects.be_patient(conn)
            return list(conn.scalars(select(incident.c.id).order_by(incident.c.id)))

        return await self._store.bulk(job)

    async def without_incident(self) -> list[str]:
        def job(conn: Connection) -> list[str]:
            dialects.be_patient(conn)
            there = select(incident.c.id).where(incident.c.id == event.c.incident_id).exists()
            return list(
                conn.scalars(select(event.c.incident_id).where(event.c.incident_id.is_not(None), ~there).distinct())
            )

        return await self._store.bulk(job)

    async def heads(self) -> list[tuple[str, int, str]]:
        """(incident, number of links, last hash) of every chain."""

        def job(conn: Connection) -> list[tuple[str, int, str]]:
            dialects.be_patient(conn)
            query = select(incident.c.id, incident.c.chain_events, incident.c.chain_head)
            rows = conn.execute(query.where(incident.c.chain_head.is_not(None)).order_by(incident.c.id))
            return [(row.id, row.chain_events, row.chain_head) for row in rows]

        return await self._store.bulk(job)

    async def of(self, incident_id: str) -> tuple[Chain | None, list[Row]]:
        return await self._store.look(lambda conn: read_chain(conn, incident_id))


def read_chain(conn: Connection, incident_id: str) -> tuple[Chain | None, list[Row]]:
    """The chain of one incident and its rows, in one consistent read; None: there is no such incident."""
    found = conn.execute(
        select(
            incident.c.state,
            incident.c.chain_after,
            incident.c.chain_events,
            incident.c.chain_head,
            incident.c.sealed_events,
            incident.c.sealed_hash,
        ).where(incident.c.id == incident_id)
    ).first()
    head = found and Chain(
        incident_id,
        found.chain_after,
        found.chain_events,
        found.chain_head,
        found.sealed_events,
        found.sealed_hash,
        found.state == "closed",
    )
    try:
        query = select(event).where(event.c.incident_id == incident_id).order_by(event.c.seq)
        return head, [_row(one) for one in conn.execute(query)]
    except (ValueError, TypeError, AttributeError):  # JSON or a time that is none
        return head, [_single(conn, link) for link in _links(conn, incident_id)]


def _links(conn: Connection, incident_id: str) -> list[Any]:
    return list(conn.execute(select(*_LINK).where(event.c.incident_id == incident_id).order_by(event.c.seq)))


def _single(conn: Connection, link: Any) -> Row:
    try:
        return _row(conn.execute(select(event).where(event.c.seq == link.seq)).one())
    except (ValueError, TypeError, AttributeError, SQLAlchemyError):
        return Row(link.seq, _UNREADABLE, _number(link.chain_no), _text(link.chain_hash))


def _row(one: Any) -> Row:
    if not isinstance(one.data, dict) or not isinstance(one.at, datetime):
        raise TypeError("not what a row holds")
    content = Content(
        one.kind, one.at, one.incident_id, one.leg_id, one.call_id, one.ticket_no, one.extension, one.data
    )
    return Row(one.seq, content, _number(one.chain_no), _text(one.chain_hash))


def _number(value: object) -> int | None:
    """SQLite keeps whatever it is given, whatever the column's type."""
    return value if isinstance(value, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


__all__ = ["SqlChains", "read_chain"]
