"""Nobody took the call: what does he need, may we call him back? Whatever fails leads to a person."""

from __future__ import annotations

from ivr.callflows.call import Answer, Call, Expect, Key, NoMatch, Said
from ivr.services.incident_desk import IncidentDesk
from ivr.services.listening_desk import ListeningDesk
from ivr.services.ports import HeardCall, StoreUnavailable
from ivr.services.ticket_desk import TicketDesk

SERVICES = "services"
CALL_BACK = "call_back"
WITHIN_S = 7
"""After a question; a wish is over after a pause of 1.1 s, which is in it. Who has not told it by then is with a person
sooner than he would be asked again."""


class Questioner:
    """Asks by voice and keys; the second answer that is not understood, of all questions together, stays NoMatch."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._patient = True

    async def ask(self, prompt: str, once_more: str, expect: Expect) -> Answer:
        answer = await self._call.ask(prompt, expect, within_s=WITHIN_S, repeats=1)
        if isinstance(answer, NoMatch) and self._patient:
            self._patient = False
            answer = await self._call.ask(once_more, expect, within_s=WITHIN_S, repeats=1)
        return answer


async def busy_call(
    call: Call, call_id: str, tickets: TicketDesk, listening: ListeningDesk, incidents: IncidentDesk,
    *, duty_phone: bool,
) -> None:  # fmt: skip
    heard = await listening.waiting(call.uniqueid)
    if heard is None:  # not on record as waiting: nothing could be noted
        await to_a_person(call, call_id, tickets, duty_phone=duty_phone)
        return
    questions = Questioner(call)
    if not heard.wish:  # else he has said it while he waited, and was told that it is noted
        prompt = "wish/what" if duty_phone else "wish/what_no_duty"
        expect = Expect("1", SERVICES, by_ear_only=True)
        match await questions.ask(prompt, "speech/say_again", expect):
            case Said(is_distress=True) as cry:
                await into_a_room(call, heard, cry, listening, incidents)
                return
            case Said("service.person") | Key("1"):
                await to_a_person(call, call_id, tickets, duty_phone=duty_phone)
                return
            case Said(wish, score):
                await listening.heard(heard, wish, score)
            case _:  # silence, twice not understood, or nobody who understands speech (any more)
                await to_a_person(call, call_id, tickets, duty_phone=duty_phone)
                return
    if not duty_phone:
        await promise_call_back(call, call_id, tickets)
        return
    match await questions.ask("wish/call_back", "wish/call_back_again", Expect("12", CALL_BACK)):
        case Said(is_distress=True) as cry:
            await into_a_room(call, heard, cry, listening, incidents)
        case Said("yes" | "call_back") | Key("1"):
            await promise_call_back(call, call_id, tickets)
        case _:  # a no, silence, twice not understood; and who says that he waits wants a person
            await to_a_person(call, call_id, tickets, duty_phone=duty_phone)


async def into_a_room(
    call: Call, heard: HeardCall, cry: Said, listening: ListeningDesk, incidents: IncidentDesk
) -> None:
    """The emergency flow from its second line on: he is answered already."""
    try:
        room = await listening.raise_incident(heard, cry.meaning, cry.score)  # on record before we speak
    except StoreUnavailable:
        await call.enter_lifeline()  # not by failing: the lifeline would take him for an ordinary caller
        return
    await incidents.accept(call.uniqueid)
    await call.play("speech/help_is_coming")
    await call.enter_room(room, "elder")


async def to_a_person(call: Call, call_id: str, tickets: TicketDesk, *, duty_phone: bool) -> None:
    if not duty_phone:
        await promise_call_back(call, call_id, tickets)
        return
    await call.play("speech/to_a_person")
    await call.ring_duty_phone(call_id)


async def promise_call_back(call: Call, call_id: str, tickets: TicketDesk) -> None:
    await tickets.call_back_promised(call_id)
    await call.play("queue/call_back_promise")
    await call.hang_up()
