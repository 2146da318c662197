"""The one-key line and every call of a registered device: on record, a short word, into the room."""

from __future__ import annotations

from ivr.callflows.call import Call
from ivr.domain.incident import ArrivedCall
from ivr.services.incident_desk import IncidentDesk


async def emergency_call(call: Call, arrived: ArrivedCall, desk: IncidentDesk) -> None:
    room = await desk.open(arrived)  # on record before we speak
    await call.answer()
    await desk.accept(arrived.uniqueid)
    await call.play("emergency/help_is_coming")
    await call.enter_room(room, "elder")  # leaves AGI: the room, not this task, holds the caller now
