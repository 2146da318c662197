"""Many rows at once without holding the database: they wait in a temporary table and go over in one statement.

A temporary table belongs to one connection and takes no lock that a call could wait behind; only `merge` needs the
writing turn, and 100,000 rows take it for about a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, and_, delete, func, insert, select

from ivr.store import dialects
from ivr.store.tables import elder
from ivr.store.tx import Tx


class Staging:
    """`key` are the columns that make a row the same row; use as a context manager around everything."""

    def __init__(self, conn: Connection, table: Table, key: Sequence[str]) -> None:
        self._conn = conn
        self._table = table
        self._key = tuple(key)
        columns = [Column(column.name, column.type) for column in table.columns]
        line = Column("line", Integer, primary_key=True, autoincrement=False)
        self._rows = Table("staged_rows", MetaData(), line, *columns, prefixes=["TEMPORARY"])

    def __enter__(self) -> Staging:
        with self._conn.begin():
            dialects.be_patient(self._conn)
            self._rows.create(self._conn)
        return self

    def __exit__(self, *_: object) -> None:
        self._conn.rollback()
        with self._conn.begin():
            self._rows.drop(self._conn)

    def add(self, rows: Sequence[dict[str, Any]]) -> None:
        """Each with its `line` and every column of the table."""
        with self._conn.begin():
            self._conn.execute(insert(self._rows), rows)

    def drop_repeated(self) -> Iterator[tuple[int, int, str]]:
        """(line, earlier line, key) of rows whose key was staged before; they are dropped."""
        key = [self._rows.c[name] for name in self._key]
        first = select(self._rows.c.line, func.min(self._rows.c.line).over(partition_by=key).label("first"), *key)
        found = first.subquery()
        again = select(found).where(found.c.line > found.c.first).order_by(found.c.line)
        for row in self._each(again):
            yield row.line, row.first, " ".join(str(value) for value in row[2:])
        self._drop(select(found.c.line).where(found.c.line > found.c.first))

    def drop_orphans(self) -> Iterator[tuple[int, str]]:
        """(line, elder_no) of rows that name an elder nobody knows; they are dropped."""
        known = select(elder.c.elder_no).where(elder.c.elder_no == self._rows.c.elder_no).exists()
        for row in self._each(select(self._rows.c.line, self._rows.c.elder_no).where(~known).order_by("line")):
            yield row.line, row.elder_no
        self._drop(select(self._rows.c.line).where(~known))

    def number_by_order(self, column: str, within: str) -> None:
        """Where `column` is empty: the row's place among the rows with the same `within`."""
        place = func.row_number().over(partition_by=self._rows.c[within], order_by=self._rows.c.line)
        numbered = select(self._rows.c.line, place.label("place")).subquery()
        value = select(numbered.c.place).where(numbered.c.line == self._rows.c.line).scalar_subquery()
        with self._conn.begin():
            self._conn.execute(
                self._rows.update().where(self._rows.c[column].is_(None)).values({column: value}),
            )

    def counts(self) -> tuple[int, int]:
        """(rows staged, those whose key is in the database already)."""
        same = [self._table.c[name] == self._rows.c[name] for name in self._key]
        with self._conn.begin():
            all_of_them = self._conn.scalar(select(func.count()).select_from(self._rows)) or 0
            there = self._conn.scalar(select(func.count()).select_from(self._rows.join(self._table, and_(*same)))) or 0
        return all_of_them, there

    def merge(self, change: Sequence[str], *, keep_if_empty: Sequence[str] = (), event: dict[str, Any]) -> None:
        """One transaction: rows that are there get the `change` columns, new ones all; and the journal says so."""
        columns = [column.name for column in self._table.columns]
        source = select(*(self._rows.c[name] for name in columns)).where(self._rows.c.line > 0)
        with self._conn.begin():
            dialects.take_import_turn(self._conn)
            dialects.upsert(
                self._conn,
                self._table,
                columns,
                source.order_by(self._rows.c.line),
                key=self._key,
                change=[name for name in change if name not in self._key],
                keep_if_empty=keep_if_empty,
            )
            dialects.take_turn(self._conn)
            tx = Tx(self._conn)
            tx.event(**event)
            tx.flush_events()

    def _each(self, query: Any) -> Iterator[Any]:
        with self._conn.begin():
            yield from self._conn.execute(query)

    def _drop(self, lines: Any) -> None:
        with self._conn.begin():
            self._conn.execute(delete(self._rows).where(self._rows.c.line.in_(lines)))
