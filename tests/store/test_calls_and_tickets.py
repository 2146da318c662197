"""Calls from arrival to outcome, and their tickets: numbered without gaps, whatever happens at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from ivr.domain.incident import ArrivedCall, UnknownElder
from ivr.store.calls import SqlCalls
from ivr.store.db import Store
from ivr.store.journal import Journal
from ivr.store.tables import call, ticket
from ivr.store.tickets import SqlTickets, next_number
from ivr.store.tx import Tx

pytestmark = pytest.mark.usefixtures("town")


@pytest.fixture
def calls(store: Store) -> SqlCalls:
    return SqlCalls(store, "node1")


@pytest.fixture
def tickets(store: Store) -> SqlTickets:
    return SqlTickets(store)


def _arrived(number: str = "1.1", caller: str = "02155500001") -> ArrivedCall:
    return ArrivedCall("node1", number, number, "12349", caller)


async def _call(store: Store) -> Any:
    async with store.read() as conn:
        return (await conn.execute(select(call))).one()


async def _ticket(store: Store) -> Any:
    async with store.read() as conn:
        return (await conn.execute(select(ticket))).one()


async def _kinds(store: Store) -> list[str]:
    return [one.kind for one in await Journal(store).after(0)]


async def test_ticket_exists_from_the_start_of_the_call(store: Store, tickets: SqlTickets) -> None:
    call_id, no = await tickets.open_for_call(_arrived())
    assert no == "T00000001"
    row = await _ticket(store)
    assert (row.state, row.call_id, row.elder_no, row.elder_choices) == ("open", call_id, "E1", ["E1"])
    assert (row.caller_id, row.outcome, row.call_back) == ("02155500001", None, False)
    assert (await _call(store)).ticket_no == no
    assert await tickets.open_for_call(_arrived()) == (call_id, no), "told twice is one call"
    assert await _kinds(store) == ["call.arrived", "ticket.opened"]


@pytest.mark.parametrize(
    ("caller", "elder_no", "choices"),
    [
        ("02155500002", None, ["E2", "E3"]),
        ("13900000001", None, ["E1"]),
        ("13012345678", None, []),
        ("", None, []),
    ],
)
async def test_whose_ticket(
    store: Store, tickets: SqlTickets, caller: str, elder_no: str | None, choices: list[str]
) -> None:
    await tickets.open_for_call(_arrived(caller=caller))
    row = await _ticket(store)
    assert (row.elder_no, row.elder_choices) == (elder_no, choices)


async def test_a_registered_device_is_no_ticket(store: Store, tickets: SqlTickets) -> None:
    assert await tickets.open_for_call(_arrived(caller="14700000001")) is None
    assert await _kinds(store) == []


async def test_a_call_that_was_talked_through(store: Store, calls: SqlCalls, tickets: SqlTickets) -> None:
    call_id, no = await tickets.open_for_call(_arrived())
    for _ in range(2):  # whoever tells it twice
        calls.answered(call_id)
        await calls.queued("1.1", 1)
        await calls.connected("1.1", "1001", 4.2)
    assert list(await calls.live()) == ["1.1"]
    for _ in range(2):
        await calls.ended("1.1", cause=16)
    row = await _call(store)
    assert (row.outcome, row.extension, row.ticket_no) == ("talked", "1001", no)
    times = [row.arrived_at, row.answered_at, row.queued_at, row.connected_at, row.ended_at]
    assert times == sorted(times)
    slip = await _ticket(store)
    assert (slip.outcome, slip.call_back, slip.state) == ("talked", False, "open")
    assert not await calls.live()
    told = ["arrived", "answered", "queued", "connected", "ended"]
    assert [kind for kind in await _kinds(store) if kind.startswith("call.")] == [f"call.{word}" for word in told]


async def test_who_gave_up_is_called_back(store: Store, calls: SqlCalls, tickets: SqlTickets) -> None:
    call_id, _ = await tickets.open_for_call(_arrived())
    calls.answered(call_id)
    await calls.queued("1.1", 3)
    for _ in range(2):
        await calls.abandoned("1.1", 61.0)
    for _ in range(2):
        await calls.ended("1.1")
    assert (await _call(store)).outcome == "abandoned"
    slip = await _ticket(store)
    assert (slip.outcome, slip.call_back) == ("abandoned", True)
    kinds = await _kinds(store)
    assert (kinds.count("call.abandoned"), kinds.count("call.ended")) == (1, 1)


async def test_who_hung_up_before_anybody_answered_is_called_back(
    store: Store, calls: SqlCalls, tickets: SqlTickets
) -> None:
    await tickets.open_for_call(_arrived())
    await calls.ended("1.1")
    slip = await _ticket(store)
    assert (slip.outcome, slip.call_back) == ("hung_up_before_answer", True)


async def test_promised_call_back(store: Store, calls: SqlCalls, tickets: SqlTickets) -> None:
    call_id, _ = await tickets.open_for_call(_arrived())
    await calls.outcome(call_id, "call_back_promised", call_back=True)
    await calls.outcome(call_id, "duty")
    await calls.ended("1.1")
    slip = await _ticket(store)
    assert (slip.outcome, slip.call_back) == ("call_back_promised", True)
    assert (await _call(store)).outcome == "call_back_promised", "the first word stands"


async def test_strangers_change_nothing(store: Store, calls: SqlCalls, tickets: SqlTickets) -> None:
    await tickets.open_for_call(_arrived())
    before = await _kinds(store)
    for one, number in ((calls, "9.9"), (SqlCalls(store, "node2"), "1.1")):
        await one.queued(number, 1)
        await one.connected(number, "1001", 1.0)
        await one.abandoned(number, 1.0)
        await one.ended(number)
    assert await _kinds(store) == before
    assert not await SqlCalls(store, "node2").live()


async def test_numbers_without_gaps_or_doubles(store: Store, other: Store) -> None:
    """From two processes, with changes that fail after they took a number."""

    def fails(tx: Tx) -> None:
        next_number(tx)
        raise RuntimeError("a bug")

    async def broken(one: Store) -> None:
        with pytest.raises(RuntimeError):
            await one.write(fails)

    jobs: list[Any] = []
    for number in range(40):
        for at, one in enumerate((store, other)):
            jobs.append(SqlTickets(one).open_for_call(_arrived(f"{at}.{number}")))
            jobs.append(broken(one))
    await asyncio.gather(*jobs)
    async with store.read() as conn:
        numbers = list(await conn.scalars(select(ticket.c.no).order_by(ticket.c.no)))
    assert numbers == [f"T{n:08d}" for n in range(1, 81)]


async def test_same_call_from_two_processes_is_one(store: Store, other: Store) -> None:
    opened = await asyncio.gather(
        *(SqlTickets(one).open_for_call(_arrived()) for _ in range(5) for one in (store, other))
    )
    assert len(set(opened)) == 1
    async with store.read() as conn:
        assert await conn.scalar(select(func.count()).select_from(ticket)) == 1


async def test_ticket_by_hand(store: Store, tickets: SqlTickets) -> None:
    no = await tickets.open_by_hand(elder_no="E1", category="meal", note="送餐", by="小李")
    row = await _ticket(store)
    assert (row.no, row.elder_no, row.category, row.note, row.call_id) == (no, "E1", "meal", "送餐", None)
    with pytest.raises(UnknownElder):
        await tickets.open_by_hand(elder_no="E999", category=None, note=None, by="小李")
    assert await tickets.open_by_hand(elder_no=None, category=None, note=None, by="小李") == "T00000002"


async def test_field_events_and_closing(store: Store, calls: SqlCalls, tickets: SqlTickets) -> None:
    _, no = await tickets.open_for_call(_arrived())
    await calls.ended("1.1")
    assert await tickets.field_event(no, "accepted", worker_no="W1")
    for _ in range(2):
        assert await tickets.field_event(no, "closed", worker_no="W1")
    assert not await tickets.field_event("T99999999", "closed")
    row = await _ticket(store)
    assert (row.state, row.call_back) == ("closed", False)
    assert row.closed_at is not None
    assert (await _kinds(store))[-2:] == ["ticket.accepted", "ticket.closed"]
