"""Recordings on record: a row each, and the incident's chain holds their hashes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import insert, select, update

from ivr.store.db import Store
from ivr.store.tables import incident, leg_attempt, recording
from ivr.store.tx import Tx


class Ended(Protocol):
    """What the shelf says of a file that has ended."""

    @property
    def file(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def changed_at(self) -> float: ...
    @property
    def whole(self) -> bool: ...


class SqlRecordings:
    """Implements the `Recordings` port of `ivr.record.watch`."""

    def __init__(self, store: Store, node: str) -> None:
        self._store = store
        self._node = node

    async def started(self, file: str, incident_id: str, uniqueid: str | None, began_at: datetime) -> bool:
        def change(tx: Tx) -> bool:
            if tx.conn.scalar(select(recording.c.file).where(recording.c.file == file)) is not None:
                return True
            if tx.conn.scalar(select(incident.c.id).where(incident.c.id == incident_id)) is None:
                return False
            leg_id = uniqueid and tx.conn.scalar(
                select(leg_attempt.c.leg_id).where(
                    leg_attempt.c.node == self._node,
                    leg_attempt.c.uniqueid == uniqueid,
                    leg_attempt.c.incident_id == incident_id,
                )
            )
            tx.conn.execute(
                insert(recording).values(file=file, incident_id=incident_id, leg_id=leg_id, started_at=began_at)
            )
            tx.event("recording.started", incident_id=incident_id, leg_id=leg_id, file=file)
            return True

        return await self._store.write(change)

    async def ended(self, found: Ended, sha256: str) -> None:
        def change(tx: Tx) -> None:
            row = tx.conn.execute(
                select(recording.c.incident_id, recording.c.leg_id, recording.c.ended_at).where(
                    recording.c.file == found.file
                )
            ).first()
            if row is None or row.ended_at is not None:
                return
            # The end is known exactly, by the file's last change; the beginning follows from its length.
            ended_at = datetime.fromtimestamp(found.changed_at, UTC)
            began_at = datetime.fromtimestamp(found.changed_at - found.seconds, UTC)
            seconds = round(found.seconds, 2)
            tx.conn.execute(
                update(recording)
                .where(recording.c.file == found.file)
                .values(started_at=began_at, ended_at=ended_at, seconds=seconds, sha256=sha256)
            )
            torn: dict[str, Any] = {} if found.whole else {"torn": True}  # Asterisk did not close it
            tx.event(
                "recording.ended",
                incident_id=row.incident_id,
                leg_id=row.leg_id,
                file=found.file,
                began_at=began_at.isoformat(timespec="milliseconds"),
                seconds=seconds,
                sha256=sha256,
                **torn,
            )

        await self._store.write(change)

    async def state(self, rooms: Collection[str]) -> dict[str, str]:
        states: dict[str, str] = {}
        columns = (recording.c.file, recording.c.ended_at, recording.c.removed_at)
        wanted = sorted(rooms)
        for start in range(0, len(wanted), 400):
            query = select(*columns).where(recording.c.incident_id.in_(wanted[start : start + 400]))
            for row in await self._store.look(lambda conn, query=query: conn.execute(query).all()):  # type: ignore[misc]
                states[row.file] = "removed" if row.removed_at else "ended" if row.ended_at else "live"
        return states

    async def live_rooms(self) -> set[str]:
        query = select(recording.c.incident_id).where(recording.c.ended_at.is_(None)).distinct()
        return {row.incident_id for row in await self._store.look(lambda conn: conn.execute(query).all())}

    async def has_legs(self, incident_id: str) -> bool:
        query = select(leg_attempt.c.id).where(
            leg_attempt.c.incident_id == incident_id, leg_attempt.c.node == self._node, leg_attempt.c.ended_at.is_(None)
        )
        return await self._store.look(lambda conn: conn.execute(query.limit(1)).first()) is not None

    async def over(self, before: datetime, limit: int) -> list[str]:
        query = (
            select(recording.c.file)
            .join(incident, incident.c.id == recording.c.incident_id)
            .where(recording.c.ended_at < before, recording.c.removed_at.is_(None), incident.c.state == "closed")
            .order_by(recording.c.ended_at)
            .limit(limit)
        )
        return [row.file for row in await self._store.look(lambda conn: conn.execute(query).all())]

    async def removed(self, file: str) -> None:
        def change(tx: Tx) -> None:
            row = tx.conn.execute(
                update(recording)
                .where(recording.c.file == file, recording.c.removed_at.is_(None))
                .values(removed_at=tx.now)
                .returning(recording.c.incident_id, recording.c.leg_id)
            ).first()
            if row is not None:
                tx.event("recording.removed", incident_id=row.incident_id, leg_id=row.leg_id, file=file, why="age")

        await self._store.write(change)
