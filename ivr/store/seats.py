"""Agents' seats: who is ready, paused or away, and their SIP credentials."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from ivr.store.db import Store
from ivr.store.tables import agent
from ivr.store.tx import Tx

STATES = ("ready", "paused", "away")


@dataclass(frozen=True, slots=True)
class Seat:
    extension: str
    name: str
    state: str
    sip_digest: str


class SqlSeats:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def set_state(self, extension: str, state: str, *, reason: str | None, by: str) -> bool:
        """Journal and set; False when there is no such seat. The same state again is no event."""
        if state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}")

        def change(tx: Tx) -> bool:
            row = (tx.conn.execute(select(agent.c.state, agent.c.reason).where(agent.c.extension == extension))).first()
            if row is None:
                return False
            if (row.state, row.reason) != (state, reason):
                tx.conn.execute(
                    update(agent).where(agent.c.extension == extension).values(state=state, reason=reason, since=tx.now)
                )
                tx.event("agent.state_changed", extension=extension, state=state, reason=reason, by=by)
            return True

        return await self._store.write(change)

    async def all(self) -> list[Seat]:
        async with self._store.read() as conn:
            rows = await conn.execute(select(agent).order_by(agent.c.extension))
            return [Seat(row.extension, row.name, row.state, row.sip_digest) for row in rows]
