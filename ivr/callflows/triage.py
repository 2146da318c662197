"""A machine asks after an alarm, because in a storm no person can: "press 1 if you are safe, or say what is wrong".

Only a clear word makes somebody safe: the key, or the word said twice. Everything else, silence too, is need.
"""

from __future__ import annotations

from ivr.callflows.call import Call, Expect, Key, NoInput, Said
from ivr.domain.storm import Triage
from ivr.services.triage_desk import TriageDesk

WELLBEING = "wellbeing"
ANY_KEY = "0123456789*#"


async def triage_leg(call: Call, desk: TriageDesk, attempt: str, room: str) -> None:
    prompt = "triage/question_say" if call.hears else "triage/question"
    match await call.ask(prompt, Expect(ANY_KEY, WELLBEING), within_s=5, repeats=2):
        case Key("1"):
            await _safe(call, desk, attempt)
        case Said("well"):
            # What was heard may only raise, never lower: a word that sounds like "fine" is asked about once more.
            match await call.ask("triage/confirm", Expect(ANY_KEY, WELLBEING), within_s=5, repeats=2):
                case Key("1") | Said("well"):
                    await _safe(call, desk, attempt)
                case _:
                    await _need(call, desk, attempt, room, Triage.HELP)
        case NoInput():
            await _need(call, desk, attempt, room, Triage.SILENT)
        case _:  # another key, distress, unwell, or words that nobody understood
            await _need(call, desk, attempt, room, Triage.HELP)


async def _safe(call: Call, desk: TriageDesk, attempt: str) -> None:
    await desk.safe(attempt)
    await call.play("triage/safe")
    await call.hang_up()


async def _need(call: Call, desk: TriageDesk, attempt: str, room: str, what: Triage) -> None:
    if await desk.needs(attempt, what):
        await call.play("emergency/help_is_coming")
        await call.enter_room(room, "elder")
    else:  # too many wait on the line already: a person calls him, in the same order
        await call.play("triage/call_back")
        await call.hang_up()
