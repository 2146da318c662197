"""Journey 2: an alarm by the API, and the family called.

Four relatives, two at a time. The first does not answer, the second declines after three seconds and the third is rung
for him; when the first has rung out the fourth is rung, picks up and presses 1: the third's phone must stop, and the
fourth must hear and be heard by the people in the room (a seat, and the elder whom we have called back).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.journeys import tones
from bench.journeys.record import moments
from bench.journeys.side_by_side import Centre, Go, Run, Talks, side_by_side
from tests.calls.harness import AgentPhone, CallRecord, Declines, FamilyPhone, IncomingLeg
from tests.calls.system import SEATS, Person

RING_S = 8
"""Instead of 25: how long a phone rings is a setting; measured is what comes after."""
DECLINES_AFTER_S = 3.0
AT_ONCE = 3
SEAT = Talks(tones.tone(tones.SEAT, 120.0))
AT_HOME = Talks(tones.tone(tones.ELDER, 120.0), after_s=0.5)
WITHIN_S = 15.0


def people(count: int) -> list[Person]:
    return [
        Person(f"E{n:05}", f"老人{n}", f"021{50_000_000 + n}", [f"138{n:07}{place}" for place in range(4)])
        for n in range(count)
    ]


class Family:
    def __init__(self, here: Centre, seats: list[AgentPhone]) -> None:
        self.here, self.seats = here, seats

    async def alarm(self, number: int) -> Run:
        here, town, person = self.here, self.here.town, self.here.system.people[number]
        mine = tones.RELATIVES[number % AT_ONCE]
        _, declines, _, comes = person.contacts
        town.family(declines, Declines(after_s=DECLINES_AFTER_S))
        fourth = town.family(comes, Talks(tones.tone(mine, 60.0), presses="1"))
        home = town.family(person.phone, AT_HOME)
        await asyncio.sleep(0.5 + number % AT_ONCE * 2)  # their handsets are there; not all alarms in one moment
        body = {"source": "app", "kind": "help", "elder_no": person.elder_no, "idempotency_key": person.elder_no}
        sent = time.monotonic()
        incident = (await here.system.api("POST", "/alarms", body, status=201))["incident_id"]
        acknowledged = time.monotonic()
        try:
            await here.until(
                lambda: fourth.calls and fourth.calls[0].pressed, RING_S + WITHIN_S, "the fourth presses 1"
            )
            await here.until(lambda: self._hear_each_other(fourth, mine), WITHIN_S, "the fourth in the room")
            run = await self._measure(incident, sent, fourth, home, person)
        finally:
            seats = await self._in_the_room(incident)
            await here.close(incident)
            await asyncio.gather(*(leg.hang_up() for leg in (*fourth.calls, *home.calls, *seats)))
            await here.forget(person.phone, *person.contacts)
        run["ms"]["acknowledged"] = (acknowledged - sent) * 1000
        return run

    async def _in_the_room(self, incident: str) -> list[IncomingLeg]:
        legs = (await self.here.system.api("GET", f"/incidents/{incident}", status=200))["legs"]
        taken = {leg["phone"] for leg in legs if leg["role"] == "agent" and leg["accepted_at"] and not leg["ended_at"]}
        return [call for seat in self.seats for call in seat.calls[-1:] if seat.number in taken and call.talking]

    def _hear_each_other(self, fourth: FamilyPhone, mine: int) -> float | None:
        """When the relative heard the seat and some seat heard the relative."""
        pressed = fourth.calls[0].pressed[0].at
        hears = tones.first(fourth.calls[0].heard.packets, tones.SEAT, pressed)
        heard = [
            at
            for seat in self.seats
            for call in seat.calls
            if call.talking and (at := tones.first(call.heard.packets, mine, pressed)) is not None
        ]
        return max(hears, min(heard)) if hears is not None and heard else None

    async def _measure(self, incident: str, sent: float, fourth: FamilyPhone, home: FamilyPhone, person: Person) -> Run:
        calls = {number: self._call(number, sent) for number in person.contacts}
        no_answer, declines, stopped, comes = (calls[number] for number in person.contacts)
        pressed = fourth.calls[0].pressed[0].at
        mine = tones.RELATIVES[int(person.elder_no[1:]) % AT_ONCE]
        together = self._hear_each_other(fourth, mine)
        await self.here.until(lambda: stopped.cancelled_at or stopped.ended_at, 10, "the third's phone stops")
        database = self.here.system.folder / "yinling.db"
        accepted = moments(database, incident, "leg.accepted", "json_extract(data, '$.role') = 'family'")
        elder = tones.first(fourth.calls[0].heard.packets, tones.ELDER, pressed)
        legs = (await self.here.system.api("GET", f"/incidents/{incident}", status=200))["legs"]
        outcomes = {leg["phone"]: leg["outcome"] or leg["state"] for leg in legs if leg["role"] == "family"}
        spans = {
            "first_invite": (sent, min(call.invite.at for call in calls.values())),
            "home_invite": (sent, home.calls[0].invited_at if home.calls else None),
            "next_after_decline": (declines.ended_at, stopped.invite.at),
            "next_after_no_answer": (no_answer.cancelled_at, comes.invite.at),
            "pressed_to_accepted": (pressed, accepted[0]),
            "pressed_to_room": (pressed, together),
            "pressed_to_elder_heard": (pressed, elder),
            "others_stopped": (pressed, stopped.cancelled_at or stopped.ended_at),
        }
        return {
            "ms": {name: (b - a) * 1000 for name, (a, b) in spans.items() if a is not None and b is not None},
            "outcomes": [outcomes.get(number) for number in person.contacts],
        }

    def _call(self, number: str, since: float) -> CallRecord:
        exchange = self.here.town.exchange
        return next(exchange.call(i.call_id) for i in exchange.invites(number) if i.at >= since)


@asynccontextmanager
async def family_centre(here: Centre) -> AsyncIterator[Go]:
    seats = [await here.town.agent(one, here.system.agents[one], SEAT) for one in SEATS]
    await here.system.ready(*SEATS)
    yield Family(here, seats).alarm


async def run(count: int, systems: int) -> list[Run]:
    return await side_by_side(count, systems, people, family_centre, at_once=AT_ONCE, IVR_FAMILY_RING_S=str(RING_S))
