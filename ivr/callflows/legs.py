"""What a leg that we dialled hears once it is answered. Answered is not accepted: a voicemail answers too."""

from __future__ import annotations

from ivr.callflows.call import INTERRUPTED, Call, Expect, Key, Said
from ivr.callflows.dialled import ACCEPT, ask_again
from ivr.callflows.recall import recall_leg
from ivr.services.incident_desk import IncidentDesk


async def agent_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """A seat that picks up has accepted; the second to pick up is told so and is free again."""
    if await desk.accept_first(attempt):
        await call.play("agent/emergency")
        await call.enter_room(room, "helper")
    else:
        await _too_late(call, desk, attempt)


async def duty_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    """The duty phone is anybody's phone: only pressing 1, or saying so, counts."""
    prompt = await desk.duty_prompt(room)
    match await ask_again(call, prompt, Expect("123", ACCEPT), "duty/press_instead", repeats=3):
        case Key("1") | Said("accept"):
            if await desk.accept_first(attempt):
                await call.play("duty/connecting")
                await call.enter_room(room, "helper")
            else:
                await _too_late(call, desk, attempt)
        case Key("2") | Said("decline"):
            await desk.declined(attempt)
            await call.play("duty/declined")
            await call.hang_up()
        case Said(is_distress=True):
            await call.enter_room(room, "helper")
        case _:
            await desk.not_confirmed(attempt)
            await call.play("duty/not_confirmed")
            await call.hang_up()


async def family_leg(call: Call, desk: IncidentDesk, attempt: str, room: str) -> None:
    prompt = await desk.family_prompt(room, speech=call.hears)
    answer = await ask_again(call, prompt, Expect("123" + INTERRUPTED, ACCEPT), "family/press_instead")
    if answer == Key(INTERRUPTED):
        if await desk.relative_has_come(room):
            if desk.one_relative:
                await desk.too_late(attempt)
                await call.play("family/already_answered")
                await call.hang_up()
                return
            prompt = "family/one_has_come"
        answer = await ask_again(call, prompt, Expect("123", ACCEPT), "family/press_instead")
    match answer:
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
