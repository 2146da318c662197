"""Who may send signed alarms: a platform, a radar's cloud, a gateway; each with a secret of its own."""

from __future__ import annotations

import secrets

from sqlalchemy import insert, select, update

from ivr.store.db import Store
from ivr.store.tables import alarm_source
from ivr.store.tx import Tx


class SourceExists(Exception):
    """The name is taken, by one that was revoked too: old signatures stay somebody's."""


class SqlSources:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, name: str) -> str:
        """Make a source; returns its secret, which is shown once. Raises SourceExists."""
        secret = "yls_" + secrets.token_urlsafe(32)

        def change(tx: Tx) -> bool:
            if tx.conn.scalar(select(alarm_source.c.name).where(alarm_source.c.name == name)):
                return False
            tx.conn.execute(insert(alarm_source).values(name=name, secret=secret, created_at=tx.now))
            tx.event("source.created", name=name)
            return True

        if not await self._store.write(change):
            raise SourceExists(name)
        return secret

    async def revoke(self, name: str) -> bool:
        def change(tx: Tx) -> bool:
            done = tx.conn.execute(
                update(alarm_source)
                .where(alarm_source.c.name == name, alarm_source.c.revoked_at.is_(None))
                .values(revoked_at=tx.now)
            )
            if done.rowcount:
                tx.event("source.revoked", name=name)
            return bool(done.rowcount)

        return await self._store.write(change)

    async def secret(self, name: str) -> str | None:
        """None: unknown or revoked."""
        query = select(alarm_source.c.secret).where(alarm_source.c.name == name, alarm_source.c.revoked_at.is_(None))
        async with self._store.read() as conn:
            found: str | None = await conn.scalar(query)
        return found
