"""What a leg that we dialled hears once it is answered. Answered is not accepted: a voicemail answers too."""

from __future__ import annotations

from ivr.callflows.call import Answer, Call, Expect, Key, NoInput, Said
from ivr.callflows.recall import recall_leg
from ivr.services.incident_desk import IncidentDesk

ACCEPT = "accept"
"""The grammar of both legs below; its ids are `accept`, `decline` and `again`."""


TELL_AGAIN = 3
"""So often "please tell me again" is answered; whoever asks on is no person."""


async def ask_again(call: Call, prompt: str, expect: Expect, *, repeats: int) -> Answer:
    """`call.ask`, where key 3 or "please say it again" plays the prompt once more."""
    for _ in range(TELL_AGAIN):
        answer = await call.ask(prompt, expect, within_s=4, repeats=repeats)
        match answer:
            case Key("3") | Said("again"):
                continue
            case _:
                return answer
    return NoInput()


async def agent_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """A seat that picks up has accepted; the second to pick up is told so and is free again."""
    if await desk.accept_first(attempt):
        await call.play("agent/emergency")
        await call.enter_room(room, "helper")
    else:
        await _too_late(call, desk, attempt)


async def duty_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """The duty phone is anybody's phone: only pressing 1, or saying so, counts."""
    match await ask_again(call, await desk.duty_prompt(room), Expect("13", ACCEPT), repeats=3):
        case Key("1") | Said("accept"):
            if await desk.accept_first(attempt):
                await call.play("duty/connecting")
                await call.enter_room(room, "helper")
            else:
                await _too_late(call, desk, attempt)
        case Said(is_distress=True):
            await call.enter_room(room, "helper")
        case _:
            await desk.not_confirmed(attempt)
            await call.hang_up()


async def family_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    prompt = await desk.family_prompt(room, speech=call.hears)
    match await ask_again(call, prompt, Expect("123", ACCEPT), repeats=2):
        case Key("1") | Said("accept"):
            refusal = await desk.accept_relative(attempt, room)
            if refusal is None:
                # One sentence between the key and the room: with both it was 4.6 s, and the target is 3.
                if not desk.recording_is_said:
                    await call.play("family/connecting")
                await call.enter_room(room, "helper")
            else:  # closed meanwhile, pressed by mistake, or another relative was first
                await desk.too_late(attempt)
                await call.play(refusal)
                await call.hang_up()
        case Key("2") | Said("decline"):
            await desk.declined(attempt)
            await call.play("family/declined")
            await call.hang_up()
        case Said(is_distress=True):
            # Whoever cries for help goes to the people in the room at once. It is no acceptance: a machine may have
            # been misheard, and then the search must go on.
            await call.enter_room(room, "helper")
        case _:
            await desk.not_confirmed(attempt)
            await call.play("family/not_confirmed")
            await call.hang_up()


async def elder_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """We called the elder: no key to press, straight into the room. Silence counts as need there."""
    if await desk.is_recall(room):
        await recall_leg(call, desk, attempt, room)
        return
    await call.play(await desk.elder_prompt(room))
    await desk.accept(attempt)
    await call.enter_room(room, "elder")


async def _too_late(call: Call, desk: IncidentDesk, attempt: str) -> None:
    await desk.too_late(attempt)
    await call.play("agent/already_taken")
    await call.hang_up()
