"""What is heard of a caller who waits may only raise: it fills an empty category, or it makes the call an emergency."""

from __future__ import annotations

import logging

from ivr.services.incident_desk import call_alarm
from ivr.services.ports import Heard, HeardCall, Incidents, Legs, StoreUnavailable, WaitingLine

log = logging.getLogger(__name__)

SERVICES = "service."
"""Meanings of the grammar that are a ticket's category."""


class ListeningDesk:
    def __init__(self, heard: Heard, incidents: Incidents, legs: Legs, line: WaitingLine) -> None:
        self._heard = heard
        self._incidents = incidents
        self._legs = legs
        self._line = line

    async def waiting(self, uniqueid: str) -> HeardCall | None:
        return await self._heard.waiting(uniqueid)

    async def heard(self, call: HeardCall, meaning: str, score: int) -> bool:
        """Returns whether it is a wish that a person will see on the ticket."""
        is_wish = meaning.startswith(SERVICES)
        await self._heard.heard(call, meaning, score, category=is_wish)
        return is_wish

    async def noted(self, call: HeardCall, meaning: str, score: int) -> bool:
        """As `heard`, where somebody listens on whatever becomes of the note: the next word may be a cry for help."""
        try:
            return await self.heard(call, meaning, score)
        except StoreUnavailable:
            log.error("what was heard of a waiting call could not be noted")
            return False

    async def raise_incident(self, call: HeardCall, meaning: str, score: int) -> str:
        """A cry for help in an ordinary call: the incident on record, what was heard noted. Returns the room.

        Raises StoreUnavailable: nothing is on record; the lifeline must have him, as an emergency.
        """
        raised = await self._incidents.raise_alarm(call_alarm(call.arrived, source="listening"))
        await self.noted(call, meaning, score)
        return raised.incident_id

    async def distress(self, call: HeardCall, meaning: str, score: int) -> None:
        """The incident is on record first, then the caller is moved; people are dialled meanwhile."""
        try:
            room = await self.raise_incident(call, meaning, score)
        except StoreUnavailable:
            log.error("a cry for help could not be put on record: the lifeline takes this call")
            await self._line.move_to_lifeline(call.arrived.uniqueid)
            return
        if await self._line.move_to_room(call.arrived.uniqueid, room):
            await self._legs.accept(call.arrived.uniqueid, only_first=False)
