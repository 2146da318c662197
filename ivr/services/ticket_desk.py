"""Where routine calls become tickets."""

from __future__ import annotations

from ivr.domain.incident import ArrivedCall
from ivr.services.ports import Calls, Tickets


class TicketDesk:
    def __init__(self, tickets: Tickets, calls: Calls) -> None:
        self._tickets = tickets
        self._calls = calls

    async def open(self, arrived: ArrivedCall) -> str | None:
        """Call and ticket on record; returns the call's id, or None for a registered device: an emergency."""
        opened = await self._tickets.open_for_call(arrived)
        return opened[0] if opened else None

    def answered(self, call_id: str) -> None:
        self._calls.answered(call_id)

    async def call_back_promised(self, call_id: str) -> None:
        await self._calls.outcome(call_id, "call_back_promised", call_back=True)
