"""Journey 6: the engine is killed (kill -9) while an emergency is under way, and started again at once.

A seat talks with the elder, or is about to; two relatives ring. Just after the kill the first of them declines: the
third relative's telephone rings only when a living engine has found that out. Killed before any relative was dialled,
the first dial is what only a living engine makes. The supervisor starts an engine that has died at once, as this does
(the pause grows only when it dies again and again).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.journeys import tones
from bench.journeys.side_by_side import Centre, Go, Run, Talks, side_by_side
from tests.calls.harness import AgentPhone, Elder, NoAnswer
from tests.calls.system import Person

SEED = 12349
KILLED_WITHIN_S = 8.0
"""After the INVITE, at a random moment."""
SEAT = Talks(tones.tone(tones.SEAT, 120.0), after_s=1.5)
CRIED = tones.tone(tones.ELDER, 60.0)
WITHIN_S = 30.0
PICKED_UP_S = 0.25
"""An INVITE so soon after the kill was the dead engine's."""


def people(count: int) -> list[Person]:
    return [
        Person(f"E{n:05}", f"老人{n}", f"021{50_000_000 + n}", [f"138{n:07}{place}" for place in range(4)])
        for n in range(count)
    ]


class Survival:
    def __init__(self, here: Centre, agent: AgentPhone) -> None:
        self.here, self.agent = here, agent
        self.chance = random.Random(f"{SEED}-{here.system.settings.sip_port}")

    async def kill(self, number: int) -> Run:
        here, system, town = self.here, self.here.system, self.here.town
        await system.ready("1001")
        person = system.people[number]
        first = town.family(person.contacts[0], NoAnswer())
        await asyncio.sleep(0.3)
        rung = len(self.agent.calls)
        elder = await town.call(person.phone, "12349120", says=CRIED)
        after_s = self.chance.uniform(0.02, KILLED_WITHIN_S)
        await asyncio.sleep(max(0.0, elder.invited_at + after_s - time.monotonic()))
        talking = [leg for leg in (elder, *self.agent.calls[rung:]) if leg.talking]
        killed = time.monotonic()
        await system.kill("engine")
        starting = asyncio.create_task(system.start("engine"))
        try:
            await asyncio.sleep(PICKED_UP_S)
            if first.calls:
                await first.calls[0].refuse(603)
            at = await here.until(lambda: self._dialled(person, killed), WITHIN_S, "the incident is carried on")
            await starting
            await asyncio.sleep(0.3)
            run: Run = {
                "ms": {
                    "carried_on": (at - killed) * 1000,
                    "longest_silence": self._silence(elder, killed, at) * 1000,
                },
                "killed_after_s": round(after_s, 3),
                "dropped": sum(not leg.talking for leg in talking),
                "alive": len(talking),
                "elder_answered": elder.talking,
                "rung_twice": len(town.exchange.invites(person.contacts[1])) - 1,
            }
        finally:
            await starting
            await self._over(elder)
            await here.forget(*person.contacts)
        return run

    def _dialled(self, person: Person, killed: float) -> float | None:
        """The first dial of this family that the dead engine cannot have made."""
        invites = [i for i in self.here.town.exchange.invites() if i.number in person.contacts]
        return next((i.at for i in invites if i.at > killed + PICKED_UP_S), None)

    @staticmethod
    def _silence(elder: Elder, killed: float, until: float) -> float:
        """The elder's longest time without any sound from us; from the answer on when it came later."""
        heard = elder.heard.packets
        since = max(killed, heard[0].at) if heard else killed
        return tones.longest_gap(heard, since, until) if until > since else 0.0

    async def _over(self, elder: Elder) -> None:
        """Closed, and all lines down."""
        await self.here.system.close_all()
        await elder.hang_up()
        for call in self.agent.calls[-2:]:
            if call.talking:
                await call.hang_up()


@asynccontextmanager
async def one_seat(here: Centre) -> AsyncIterator[Go]:
    agent = await here.town.agent("1001", here.system.agents["1001"], SEAT)
    yield Survival(here, agent).kill


async def run(count: int, systems: int) -> list[Run]:
    return await side_by_side(count, systems, people, one_seat, IVR_FAMILY_RING_S="60")
