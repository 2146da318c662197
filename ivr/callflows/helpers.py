"""What a care worker, a hospital or 120 hears once the telephone is answered. A voicemail answers too: it never counts.

Key 3 tells it again: to the worker the whole, to the hospital name, address and illnesses as far as recorded.
"""

from __future__ import annotations

from ivr.callflows.call import Call, Expect, Key, Said
from ivr.services.incident_desk import IncidentDesk

ACCEPT = "accept"
"""The grammar of both legs; its ids are `accept` and `decline`."""
TOLD_AGAIN = 5
"""Whoever presses 3 more often than this plays with the telephone."""


async def worker_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """Who says yes goes there; in the room he hears what it is about."""
    prompt = await desk.worker_prompt(room, speech=call.hears)
    for _ in range(1 + TOLD_AGAIN):
        match await call.ask(prompt, Expect("123", ACCEPT), within_s=4, repeats=2):
            case Key("3"):
                continue
            case Key("1") | Said("accept"):
                await _joins(call, desk, attempt, room, yes="worker/connecting", late="worker/taken")
            case Key("2") | Said("decline"):
                await _declines(call, desk, attempt, "worker/declined")
            case Said(is_distress=True):
                await call.enter_room(room, "helper")  # as for a relative: to the people there, and no acceptance
            case _:
                break
        return
    await _nobody(call, desk, attempt, "worker/not_confirmed")


async def hospital_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """The name of the elder is told to a person only: after a key, never to a machine that answered."""
    prompt = "hospital/alarm_say" if call.hears else "hospital/alarm"
    for _ in range(1 + TOLD_AGAIN):
        match await call.ask(prompt, Expect("123", ACCEPT), within_s=4, repeats=2):
            case Key("3"):
                prompt = await desk.hospital_details(room)
                continue
            case Key("1") | Said("accept"):
                await _joins(call, desk, attempt, room, yes="hospital/connecting", late="hospital/no_longer")
            case Key("2") | Said("decline"):
                await _declines(call, desk, attempt, "hospital/declined")
            case Said(is_distress=True):
                await call.enter_room(room, "helper")
            case _:
                break
        return
    await _nobody(call, desk, attempt, "hospital/not_confirmed")


async def _joins(call: Call, desk: IncidentDesk, attempt: str, room: str, *, yes: str, late: str) -> None:
    if await desk.accept(attempt):
        await call.play(yes)
        await call.enter_room(room, "helper")
    else:  # another took the same offer, or the incident was closed
        await desk.too_late(attempt)
        await call.play(late)
        await call.hang_up()


async def _declines(call: Call, desk: IncidentDesk, attempt: str, farewell: str) -> None:
    await desk.declined(attempt)
    await call.play(farewell)
    await call.hang_up()


async def _nobody(call: Call, desk: IncidentDesk, attempt: str, farewell: str) -> None:
    await desk.not_confirmed(attempt)
    await call.play(farewell)
    await call.hang_up()
