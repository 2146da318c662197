"""Every event of an incident is a link, on both databases, whoever writes; and whatever is done to it is found."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from asyncio.subprocess import PIPE
from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import Connection, delete, insert, select, text, update

from ivr.domain.chain import Fault
from ivr.domain.incident import NewAlarm, Outcome, Role
from ivr.record import anchors
from ivr.record.verify import Finding, Report, verify
from ivr.store.audit import SqlChains
from ivr.store.db import Store, sync_engine
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.legs import SqlLegs
from ivr.store.migrate import alembic_config, upgrade
from ivr.store.tables import event, incident
from ivr.store.tx import Tx
from tests.store.processes import ROOT

pytestmark = pytest.mark.usefixtures("town")


async def _incident(store: Store, *, close: bool = True) -> str:
    """One with a dozen events of every kind of writer."""
    incidents, legs = SqlIncidents(store), SqlLegs(store, "node1", "engine")
    raised = await incidents.raise_alarm(NewAlarm(source="radar", kind="fall", elder_no="E1", note="救命"))
    for phone, outcome in (("13900000001", Outcome.BUSY), ("13900000002", Outcome.NO_ANSWER)):
        attempt = await legs.begin_attempt(raised.incident_id, Role.FAMILY, phone)
        assert attempt
        await legs.ringing(attempt)
        await legs.ended(attempt, outcome, cause=17)
    await incidents.escalated(raised.incident_id, "family_not_reached")
    await Journal(store).note("file.viewed", incident_id=raised.incident_id, by="李娜", elder_no="E1", ratio=0.1 + 0.2)
    if close:
        await incidents.close(raised.incident_id, by="李娜", outcome="helped", reason="女儿已到家照看")
        await Journal(store).note("file.viewed", incident_id=raised.incident_id, by="周强", elder_no="E1")
    return raised.incident_id


async def _verify(store: Store, *wanted: str, **more: object) -> Report:
    return await verify(SqlChains(store), wanted, **more)  # type: ignore[arg-type]


async def _seqs(store: Store, incident_id: str) -> list[int]:
    return [one.seq for one in await Journal(store).after(0, incident_id=incident_id)]


async def test_an_incidents_events_are_one_chain_and_others_are_none(store: Store) -> None:
    one, two = await _incident(store), await _incident(store, close=False)
    await Journal(store).note("node.started")
    report = await _verify(store)
    assert report.whole, report.broken
    assert (report.incidents, report.older) == (2, 0)
    assert report.events == len(await _seqs(store, one)) + len(await _seqs(store, two)) >= 16
    async with store.read() as conn:
        rows = (await conn.execute(select(event.c.chain_no).where(event.c.incident_id.is_(None)))).all()
        assert rows
        assert all(row.chain_no is None for row in rows)
        sealed, every = (
            await conn.execute(select(incident.c.sealed_events, incident.c.chain_events).where(incident.c.id == one))
        ).one()
        assert (sealed, every) == (len(await _seqs(store, one)) - 1, len(await _seqs(store, one)))


async def test_one_change_with_events_of_two_incidents_and_none(store: Store) -> None:
    one, two = await _incident(store), await _incident(store, close=False)

    def change(tx: Tx) -> None:
        tx.event("leg.ringing", incident_id=one)
        tx.event("node.started")
        tx.event("leg.ringing", incident_id=two)
        tx.event("leg.answered", incident_id=one, data_={"a": [1, {"b": None}]})

    await store.write(change)
    assert (await _verify(store)).whole


async def test_what_is_rolled_back_leaves_no_gap(store: Store) -> None:
    one = await _incident(store, close=False)

    def fails(tx: Tx) -> None:
        tx.event("leg.ringing", incident_id=one)
        tx.flush_events()
        raise ValueError("no")

    def works(tx: Tx) -> None:
        tx.event("leg.answered", incident_id=one)

    # Together, so that they share one transaction with savepoints.
    results = await asyncio.gather(
        *(store.write(change) for change in (works, fails, works, fails, works)), return_exceptions=True
    )
    assert sum(isinstance(one, ValueError) for one in results) == 2
    assert (await _verify(store)).whole


TAMPER = {
    "changed field": ("UPDATE event SET kind = 'leg.accepted' WHERE seq = :three", Fault.CHANGED, 3),
    "changed data": ('UPDATE event SET data = \'{"outcome":"talked"}\' WHERE seq = :three', Fault.CHANGED, 3),
    "deleted row in the middle": ("DELETE FROM event WHERE seq = :three", Fault.MISSING, 4),
    "deleted last row": ("DELETE FROM event WHERE seq = :last", Fault.CUT, -2),
    "moved to another incident": ("UPDATE event SET incident_id = NULL WHERE seq = :three", Fault.MISSING, 4),
    "link removed": ("UPDATE event SET chain_no = NULL, chain_hash = NULL WHERE seq = :three", Fault.INSERTED, 3),
    "hash changed": ("UPDATE event SET chain_hash = repeat_('0') WHERE seq = :three", Fault.CHANGED, 3),
    "head changed": ("UPDATE incident SET chain_head = repeat_('0')", Fault.HEAD, -1),
    "seal removed": ("UPDATE incident SET sealed_events = NULL", Fault.SEAL, -2),
    "opened again": ("UPDATE incident SET state = 'open'", Fault.SEAL, -2),
}


@pytest.mark.parametrize("name", TAMPER)
async def test_what_is_done_to_a_row_is_found_there(store: Store, name: str) -> None:
    statement, fault, place = TAMPER[name]
    one = await _incident(store)
    seqs = await _seqs(store, one)
    statement = statement.replace("repeat_('0')", f"'{'0' * 64}'")
    values = {key: value for key, value in {"three": seqs[3], "last": seqs[-1]}.items() if f":{key}" in statement}
    await store.write(lambda tx: tx.conn.execute(text(statement), values))
    assert (await _verify(store)).broken == [Finding(one, fault, seqs[place])]


async def test_an_inserted_row_and_two_swapped_rows_are_found(store: Store) -> None:
    one, two = await _incident(store), await _incident(store, close=False)
    seqs, other = await _seqs(store, one), await _seqs(store, two)

    def insert_row(tx: Tx) -> None:
        tx.conn.execute(
            insert(event).values(kind="leg.accepted", at=datetime.now(UTC), incident_id=one, data={"by": "x"})
        )

    def swap(conn: Connection) -> None:
        free, a, b = 1_000_000, other[1], other[4]
        for old, new in ((a, free), (b, a), (free, b)):
            conn.execute(update(event).where(event.c.seq == old).values(seq=new))

    await store.write(insert_row)
    added = (await _seqs(store, one))[-1]
    assert added > seqs[-1]
    await store.write(lambda tx: swap(tx.conn))
    found = (await _verify(store)).broken
    assert found == sorted(
        [Finding(one, Fault.INSERTED, added), Finding(two, Fault.MOVED, other[1])], key=lambda one: one.incident_id
    )


async def test_cells_that_cannot_be_read_are_a_changed_row_and_not_the_end_of_the_audit(
    store: Store, is_sqlite: bool
) -> None:
    one = await _incident(store)
    three = (await _seqs(store, one))[3]
    bad = "UPDATE event SET data = '{not json', at = 'never' WHERE seq = :seq"
    if not is_sqlite:  # PostgreSQL takes neither; a list is JSON, and no data of ours
        bad = "UPDATE event SET data = '[]' WHERE seq = :seq"
    await store.write(lambda tx: tx.conn.execute(text(bad), {"seq": three}))
    assert (await _verify(store)).broken == [Finding(one, Fault.CHANGED, three)]


async def test_a_removed_incident_is_found_by_its_rows_and_by_an_anchor(store: Store) -> None:
    one, two = await _incident(store), await _incident(store)
    content, digest = anchors.write(await SqlChains(store).heads(), datetime.now(UTC))
    kept = anchors.read(content)
    assert kept.digest == digest
    anchored = {incident_id: [head] for incident_id, head in kept.heads.items()}
    assert set(anchored) == {one, two}
    await Journal(store).note("file.viewed", incident_id=one, by="李娜")  # a chain may have grown since
    assert (await _verify(store, anchors=anchored)).whole
    first = (await _seqs(store, one))[0]

    def remove(tx: Tx) -> None:
        tx.conn.execute(text("DELETE FROM leg_attempt"))
        tx.conn.execute(text("DELETE FROM leg"))
        tx.conn.execute(text("DELETE FROM alarm"))
        tx.conn.execute(delete(incident))
        tx.conn.execute(delete(event).where(event.c.incident_id == two))

    await store.write(remove)
    assert (await _verify(store)).broken == [Finding(one, Fault.NO_INCIDENT, first)]
    assert {found.incident_id for found in (await _verify(store, anchors=anchored)).broken} == {one, two}


async def test_who_computes_the_whole_chain_anew_is_found_by_the_anchor(store: Store) -> None:
    one = await _incident(store)
    kept = {incident_id: [(events, hash_)] for incident_id, events, hash_ in await SqlChains(store).heads()}

    def forge(tx: Tx) -> None:
        """The hand of somebody who has the source code and the database."""
        rows = tx.conn.execute(select(event).where(event.c.incident_id == one).order_by(event.c.seq)).all()
        tx.conn.execute(delete(event).where(event.c.incident_id == one))
        tx.conn.execute(update(incident).values(chain_events=0, chain_head=None, sealed_events=None, sealed_hash=None))
        for row in rows:
            if row.kind == "leg.ended":
                continue
            named = {"incident_id": one, "leg_id": row.leg_id, "at": row.at}
            tx.event(row.kind, **named, **row.data)

    await store.write(forge)
    assert (await _verify(store)).whole, "the database alone cannot know"
    assert [found.what for found in (await _verify(store, anchors=kept)).broken] == [Fault.CUT]


async def test_two_processes_write_to_one_incident_at_once(store: Store, url: str) -> None:
    one = await _incident(store, close=False)
    began = len(await _seqs(store, one))
    script = (
        "import asyncio, sys\n"
        "from ivr.store.db import Store\n"
        "from ivr.store.journal import Journal\n"
        "async def main():\n"
        "    async with Store(sys.argv[1], name=sys.argv[3], write_timeout_s=30) as store:\n"
        "        print('ready', flush=True)\n"
        "        await asyncio.to_thread(sys.stdin.readline)\n"
        "        for _ in range(60):\n"
        "            await asyncio.gather(*(Journal(store).note('leg.ringing', incident_id=sys.argv[2], by=sys.argv[3])"
        " for _ in range(5)))\n"
        "asyncio.run(main())\n"
    )
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, url, one, name, stdin=PIPE, stdout=PIPE, cwd=ROOT
        )
        for name in ("left", "right")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert await writer.stdout.readline() == b"ready\n"
    async with asyncio.timeout(90):
        await asyncio.gather(*(writer.communicate(b"\n") for writer in writers))
    assert [writer.returncode for writer in writers] == [0, 0]
    rows = [event for event in await Journal(store).after(0, 1000, incident_id=one) if "by" in event.data]
    by = [row.data["by"] for row in rows if row.kind == "leg.ringing"]
    assert (by.count("left"), by.count("right")) == (300, 300)
    turns = sum(before != after for before, after in itertools.pairwise(by))
    assert turns >= 2, "the two did not write at the same time"
    report = await _verify(store)
    assert report.whole, report.broken
    assert report.events == began + 600


async def test_rows_from_before_the_migration_are_not_covered_and_said(url: str) -> None:
    """An incident that was open when the system was updated."""
    await asyncio.to_thread(command.downgrade, alembic_config(url), "0001")
    engine = sync_engine(url, "BEGIN")
    with engine.begin() as conn:
        conn.execute(
            text(
                "INSERT INTO incident (id, state, elder_choices, needs_look, opened_at)"
                " VALUES ('01OLD', 'open', '[]', :no, '2026-01-01 00:00:00')"
            ),
            {"no": False},
        )
        for _ in range(3):
            conn.execute(
                text("INSERT INTO event (kind, at, incident_id, data) VALUES ('x.y', '2026-01-01', '01OLD', '{}')")
                if not url.startswith("sqlite")
                else text(
                    "INSERT INTO event (kind, at, incident_id, data)"
                    " VALUES ('x.y', '2026-01-01 00:00:00.000000', '01OLD', '{}')"
                )
            )
        last = conn.execute(text("SELECT max(seq) FROM event")).scalar()
    engine.dispose()
    await asyncio.to_thread(upgrade, url)
    async with Store(url, name="after") as store:
        await Journal(store).note("leg.ringing", incident_id="01OLD")
        await SqlIncidents(store).close("01OLD", by="李娜", outcome="test", reason="r")
        report = await _verify(store)
        assert report.whole, report.broken
        assert (report.older, report.older_until, report.events) == (3, last, 5)
        await store.write(lambda tx: tx.conn.execute(update(incident).values(chain_after=0)))
        assert not (await _verify(store)).whole, "where the chain begins is part of it"


async def test_unknown_incident_is_said(store: Store) -> None:
    report = await _verify(store, "01NOBODY")
    assert report.unknown == ["01NOBODY"]
    assert not report.whole


async def test_a_link_costs_less_than_a_commit(store: Store) -> None:
    """The processor's time in the writer's thread, for each event that is alone in its change. Printed; the bound
    only catches a blunder, such as reading the whole chain."""
    one = await _incident(store, close=False)

    async def cost(incident_id: str | None) -> float:
        def change(tx: Tx) -> float:
            began = time.thread_time()
            for _ in range(200):
                tx.event("leg.ringing", incident_id=incident_id, leg_id="L", role="family")
                tx.flush_events()
            return (time.thread_time() - began) / 200

        return min([await store.write(change) for _ in range(3)])

    plain, linked = await cost(None), await cost(one)
    print(f"{store.url.partition(':')[0]}: an ordinary event {plain * 1e6:.0f} µs, a link {linked * 1e6:.0f} µs")
    assert linked - plain < 0.002
