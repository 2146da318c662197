"""Statements on the driver's own cursor give what SQLAlchemy's would, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from ivr.store import dialects
from ivr.store.db import Store
from ivr.store.prepared import Prepared, inserting
from ivr.store.tables import counter, event, ticket
from ivr.store.tx import Tx

AT = datetime(2024, 2, 29, 11, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))
_INSERT = inserting(event, "kind", "at", "call_id", "data")
_ALL = select(event).where(event.c.kind == bindparam("kind")).order_by(event.c.seq).limit(2)


async def test_types_come_back_as_through_sqlalchemy(store: Store) -> None:
    def change(tx: Tx) -> tuple[Any, Any]:
        data = {"text": "银铃 'quoted' 100%", "n": [1, None, True]}
        _INSERT.run_many(tx.conn, [{"kind": k, "at": AT, "call_id": "C", "data": data} for k in ("a", "a", "a", "b")])
        return Prepared(_ALL).all(tx.conn, kind="a"), tx.conn.execute(_ALL, {"kind": "a"}).all()

    ours, theirs = await store.write(change)
    assert [tuple(row) for row in ours] == [tuple(row) for row in theirs]
    assert len(ours) == 2
    assert ours[0].at == AT
    assert ours[0].at.tzinfo is UTC
    assert ours[0].leg_id is None


async def test_changes_count_and_return(store: Store) -> None:
    add = Prepared(update(counter).values(value=counter.c.value + bindparam("by")).returning(counter.c.value))
    none = Prepared(update(ticket).where(ticket.c.no == bindparam("of_no")).values(call_back=True))

    def change(tx: Tx) -> tuple[Any, Any, int]:
        before = add.scalar(tx.conn, by=1)
        tx.conn.execute(insert(counter).values(name="x", value=4))
        return before, add.scalar(tx.conn, by=3), none.run(tx.conn, of_no="T1")

    assert await store.write(change) == (None, 7, 0)


async def test_a_value_is_never_part_of_the_statement(store: Store) -> None:
    hostile = "x'; DROP TABLE event; --"
    await store.write(lambda tx: _INSERT.run(tx.conn, kind="a", at=AT, call_id=hostile[:26], data={"t": hostile}))
    row = await store.look(lambda conn: Prepared(_ALL).first(conn, kind="a"))
    assert (row.call_id, row.data) == (hostile[:26], {"t": hostile})


async def test_a_statement_for_many_values_is_refused_at_once(store: Store) -> None:
    bad = Prepared(select(event).where(event.c.kind.in_(bindparam("kinds", expanding=True))))
    with pytest.raises(AssertionError, match="expanding"):
        await store.look(lambda conn: bad.all(conn, kinds=["a"]))


async def test_the_drivers_own_error_says_that_the_database_is_at_fault(store: Store, is_sqlite: bool) -> None:
    caught: list[BaseException] = []

    def broken(tx: Tx) -> None:
        tx.conn.exec_driver_sql("DROP TABLE event" if is_sqlite else "SET LOCAL statement_timeout = 1")
        query = select(event.c.seq) if is_sqlite else select(func.pg_sleep(1).label("slept"))
        try:
            Prepared(query).all(tx.conn)
        except Exception as exc:
            caught.append(exc)
        raise ValueError("undone")

    with pytest.raises(ValueError, match="undone"):
        await store.write(broken)
    assert not isinstance(caught[0], SQLAlchemyError), "the driver's own"
    assert dialects.is_unavailable(caught[0])
