"""What was heard of a call: ids of the grammar in the journal and on the ticket, never the caller's own words."""

from __future__ import annotations

from sqlalchemy import outerjoin, select, update

from ivr.domain.incident import ArrivedCall
from ivr.services.ports import HeardCall
from ivr.store.db import Store
from ivr.store.tables import call, ticket
from ivr.store.tx import Tx


class SqlHeard:
    """Implements the `Heard` port."""

    def __init__(self, store: Store, node: str) -> None:
        self._store = store
        self._node = node

    async def waiting(self, uniqueid: str) -> HeardCall | None:
        """The ordinary call of this channel, while it lives and nobody has taken it."""
        joined = outerjoin(call, ticket, call.c.ticket_no == ticket.c.no)
        query = (
            select(call, ticket.c.category)
            .select_from(joined)
            .where(
                call.c.node == self._node,
                call.c.uniqueid == uniqueid,
                call.c.kind == "routine",
                call.c.ended_at.is_(None),
                call.c.connected_at.is_(None),
            )
        )
        row = await self._store.look(lambda conn: conn.execute(query).first())
        if row is None:
            return None
        arrived = ArrivedCall(row.node, row.uniqueid, row.linkedid, row.did, row.caller_id)
        return HeardCall(row.id, row.ticket_no, arrived, row.category)

    async def heard(self, heard: HeardCall, meaning: str, score: int, *, category: bool) -> None:
        """Journal it; with `category` it also fills an empty category of the ticket. A person's word stands.

        Of a call that has become an incident it stands in the incident's record: who takes it sees what was heard."""

        def change(tx: Tx) -> None:
            incident_id = tx.conn.scalar(select(call.c.incident_id).where(call.c.id == heard.id))
            tx.event(
                "speech.heard",
                incident_id=incident_id,
                call_id=heard.id,
                ticket_no=heard.ticket_no,
                meaning=meaning,
                score=score,
            )
            if category and heard.ticket_no is not None:
                tx.conn.execute(
                    update(ticket)
                    .where(ticket.c.no == heard.ticket_no, ticket.c.category.is_(None))
                    .values(category=meaning)
                )

        await self._store.write(change)
