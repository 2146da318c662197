"""What an elder answers to the machine: on record before he hears a word about it."""

from __future__ import annotations

from ivr.domain.storm import StormPolicy, Triage, held_at_most
from ivr.services.ports import Legs
from ivr.services.storm_ports import StormRecords


class TriageDesk:
    def __init__(self, records: StormRecords, legs: Legs, policy: StormPolicy) -> None:
        self._records = records
        self._legs = legs
        self._hold_at_most = held_at_most(policy)

    async def is_asked(self, attempt: str) -> bool:
        """Whether this leg to an elder is the machine's question."""
        return await self._records.is_asked(attempt)

    async def safe(self, attempt: str) -> None:
        await self._records.heard(attempt, Triage.SAFE, hold_at_most=self._hold_at_most)

    async def needs(self, attempt: str, what: Triage) -> bool:
        """True: his line is kept and he is in the room from now on."""
        if not await self._records.heard(attempt, what, hold_at_most=self._hold_at_most):
            return False
        return await self._legs.accept(attempt, only_first=False)
