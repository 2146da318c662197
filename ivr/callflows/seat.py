"""*11 and *12 on a desk phone: ready, away."""

from __future__ import annotations

from ivr.callflows.call import Call
from ivr.services.ports import Seats


async def seat_call(call: Call, seats: Seats, extension: str, state: str) -> None:
    done = state in ("ready", "away") and await seats.set_state(
        extension, state, reason=None, by=f"desk phone {extension}"
    )
    await call.answer()
    await call.play(f"agent/seat_{state}" if done else "agent/not_allowed")
    await call.hang_up()
