"""The elder is called while help is on its way. A worse answer, silence too, reaches everybody at once."""

from __future__ import annotations

from ivr.callflows.call import Call, Expect, Key, NoInput, Said
from ivr.services.incident_desk import IncidentDesk

WELLBEING = "wellbeing"


async def recall_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    prompt = "recall/how_are_you_say" if call.hears else "recall/how_are_you"
    match await call.ask(prompt, Expect("12", WELLBEING), within_s=6, repeats=2):
        case Key("1") | Said("well"):
            await desk.no_worse(attempt)
            await call.play("recall/on_the_way")
            await call.hang_up()
        case Key("2") | Said("unwell"):
            await _worse(call, desk, attempt, room, "worse")
        case Said(meaning, is_distress=True):
            await _worse(call, desk, attempt, room, meaning)
        case NoInput():
            await _worse(call, desk, attempt, room, "silent")
        case _:  # two failures to understand lead to a person
            await _worse(call, desk, attempt, room, "not_understood")


async def _worse(call: Call, desk: IncidentDesk, attempt: str, room: str, why: str) -> None:
    await desk.worse(attempt, room, why)  # on record before we speak: people are dialled meanwhile
    await call.play("recall/stay_with_us")
    await call.enter_room(room, "elder")
