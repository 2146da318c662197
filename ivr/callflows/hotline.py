"""12349: a short greeting, then a person. No menu."""

from __future__ import annotations

from ivr.callflows.call import Call
from ivr.services.ticket_desk import TicketDesk


async def hotline_call(call: Call, call_id: str, desk: TicketDesk) -> None:
    await call.enter_queue(call_id)  # leaves AGI: the dialplan answers and greets him, Asterisk's queue holds him
    desk.answered(call_id)


async def unanswered_call(call: Call, desk: TicketDesk, call_id: str, why: str, *, duty_phone: bool) -> None:
    """The queue gave the caller back (`why` is QUEUESTATUS), or the duty phone did not answer (`DUTY`).

    Where a caller can be asked by voice, it is `wish.busy_call` that goes on instead, except after the duty phone."""
    if why == "DUTY" or not duty_phone:
        await desk.call_back_promised(call_id)
        await call.play("queue/call_back_promise")
        await call.hang_up()
        return
    await call.play("queue/all_busy" if why == "TIMEOUT" else "queue/nobody_logged_in")
    await call.ring_duty_phone(call_id)
