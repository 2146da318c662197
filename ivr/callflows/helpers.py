"""What a care worker, a hospital or 120 hears once the telephone is answered. A voicemail answers too: it never counts.

Key 3 tells a worker all of it again, and a hospital name, address and illnesses as far as recorded. "Say it again" does
the same for a worker; a hospital hears the first prompt again: names are told after a key only, never for a word.
"""

from __future__ import annotations

from ivr.callflows.call import Call, Expect, Key, Said
from ivr.callflows.dialled import ACCEPT, Dialled, ask_again
from ivr.services.incident_desk import IncidentDesk

TOLD_AGAIN = 5
"""Whoever presses 3 more often than this plays with the telephone."""


async def worker_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """Who says yes goes there; in the room he hears what it is about."""
    prompt = await desk.worker_prompt(room, speech=call.hears)
    match await ask_again(call, prompt, Expect("123", ACCEPT), "worker/press_instead", times=1 + TOLD_AGAIN):
        case Key("1") | Said("accept"):
            await _joins(call, desk, attempt, room, yes="worker/connecting", late="worker/taken")
        case Key("2") | Said("decline"):
            await _declines(call, desk, attempt, "worker/declined")
        case Said(is_distress=True):
            await call.enter_room(room, "helper")  # as for a relative: to the people there, and no acceptance
        case _:
            await _nobody(call, desk, attempt, "worker/not_confirmed")


async def hospital_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """The name of the elder is told to a person only: after a key, never to a machine that answered."""
    general = await desk.hospital_prompt(room, speech=call.hears)
    prompt, dialled = general, Dialled(call, "hospital/press_instead")
    for _ in range(1 + TOLD_AGAIN):
        match await dialled.ask(prompt, Expect("123", ACCEPT), repeats=2):
            case Key("3"):
                prompt = await desk.hospital_details(room)
                continue
            case Said("again"):
                prompt = general
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
