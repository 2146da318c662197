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
    # After a hang (SIGSTOP, a paused machine) the call may be with the lifeline already: then nothing is opened here.
    await call.renew()
    if arrived.did == one_key_number or await tickets.is_device(arrived.caller_id):
        await emergency_call(call, arrived, incidents)
    else:
        await hotline_call(call, arrived, tickets)
