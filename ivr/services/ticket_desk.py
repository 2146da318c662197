"""Where routine calls become tickets."""

from __future__ import annotations

from ivr.domain.incident import ArrivedCall
from ivr.services.ports import Calls, People, Tickets


class TicketDesk:
    def __init__(self, tickets: Tickets, calls: Calls, people: People) -> None:
        self._tickets = tickets
        self._calls = calls
        self._people = people

    async def is_device(self, caller_id: str) -> bool:
        """A call from a registered device is an emergency, whatever it dialled."""
        return await self._people.is_device(caller_id)

    async def open(self, arrived: ArrivedCall) -> str:
        """Call and ticket on record; returns the call's id."""
        call_id, _no = await self._tickets.open_for_call(arrived)
        return call_id

    async def answered(self, call_id: str) -> None:
        await self._calls.answered(call_id)

    async def call_back_promised(self, call_id: str) -> None:
        await self._calls.outcome(call_id, "call_back_promised", call_back=True)
