"""Every inbound call begins here: an emergency, or an ordinary call. Decided before anything is said."""

from __future__ import annotations

from ivr.callflows.call import Call
from ivr.callflows.emergency import emergency_call
from ivr.callflows.hotline import hotline_call
from ivr.domain.incident import ArrivedCall
from ivr.services.incident_desk import IncidentDesk
from ivr.services.ticket_desk import TicketDesk


async def arriving_call(
    call: Call, arrived: ArrivedCall, incidents: IncidentDesk, tickets: TicketDesk, one_key_number: str
) -> None:
    await call.still_ours()
    if arrived.did == one_key_number:
        await emergency_call(call, arrived, incidents)
        return
    call_id = await tickets.open(arrived)  # call and ticket on record
    if call_id is None:  # a registered device: an emergency, whatever it dialled
        await emergency_call(call, arrived, incidents)
    else:
        await hotline_call(call, call_id, tickets)
