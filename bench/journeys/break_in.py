"""Journey 1 while the centre is busy: three seats, each on an ordinary call, and somebody presses the one key.

The calls go on for the whole run. Each press takes one seat out of its call; the elder and that seat hear each other;
then both hang up, and the ordinary caller, who was parked, must get the same seat back before the next press.
Milliseconds from the elder's INVITE as the trunk's side sent it, unless a name says otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench.emergencies import Watch
from bench.journeys import tones
from bench.journeys.record import moments
from bench.journeys.screen import Screen, screen
from bench.journeys.side_by_side import Centre, Go, Run, Talks, side_by_side
from bench.place import elders
from tests.calls.harness import AgentPhone, Elder, IncomingLeg
from tests.calls.system import SEATS, Person

CALL_S = 900.0
SAID = tones.tone(tones.SEAT, CALL_S)
ASKED = tones.tone(tones.ORDINARY, CALL_S)
CRIED = tones.tone(tones.ELDER, 60.0)
TOGETHER_S = 0.5
WITHIN_S = 20.0
BACK_WITHIN_S = 30.0


@dataclass
class Pair:
    """A seat and its ordinary caller."""

    agent: AgentPhone
    caller: Elder

    @property
    def seat(self) -> IncomingLeg:
        return self.agent.calls[-1]

    def talk(self, since: float) -> bool:
        return (
            tones.first(self.caller.heard.packets, tones.SEAT, since) is not None
            and tones.first(self.seat.heard.packets, tones.ORDINARY, since) is not None
        )


def people(count: int) -> list[Person]:
    return elders(count + len(SEATS))


class BusyCentre:
    def __init__(self, here: Centre, watch: Watch) -> None:
        self.here, self.watch = here, watch
        self.pairs: list[Pair] = []
        self.screens: list[Screen] = []

    async def open(self, stack: AsyncExitStack) -> None:
        here, system, town = self.here, self.here.system, self.here.town
        for extension, person in zip(SEATS, reversed(system.people), strict=False):
            self.screens.append(await stack.enter_async_context(screen(system, extension, "pw")))
            agent = await town.agent(extension, system.agents[extension], Talks(SAID))
            await system.ready(extension)
            began = time.monotonic()
            pair = Pair(agent, await town.call(person.phone, "12349", says=ASKED))
            await agent.called()
            await here.until(lambda p=pair, s=began: p.talk(s), 15, "an ordinary call")  # type: ignore[misc]
            self.pairs.append(pair)

    async def press(self, number: int) -> Run:
        here = self.here
        now = time.monotonic()
        await here.until(lambda: all(pair.talk(now) for pair in self.pairs), 5, "every seat on an ordinary call")
        person = here.system.people[number]
        elder = await here.town.call(person.phone, "12349120", says=CRIED)
        try:
            pair = await here.until(lambda: self._two_way(elder), WITHIN_S, "two-way speech with a seat")
            await asyncio.sleep(TOGETHER_S)
            run = self._measure(elder, pair)
            run["others_undisturbed"] = all(one.talk(time.monotonic() - 0.3) for one in self.pairs if one is not pair)
        finally:
            if person.phone in self.watch.seen:
                await here.close(self.watch.seen[person.phone][1])
            await elder.hang_up()
        rang = len(pair.agent.calls)
        await pair.seat.hang_up()
        free = time.monotonic()
        await here.until(
            lambda: len(pair.agent.calls) > rang and pair.talk(free), BACK_WITHIN_S, "the parked caller's seat"
        )
        heard = tones.first(pair.caller.heard.packets, tones.SEAT, free)
        assert heard is not None
        run["ms"]["back"] = (heard - free) * 1000
        decided = run.pop("decided_at")
        run["ms"]["parked"] = (heard - decided) * 1000
        run["ms"]["parked_silence"] = tones.longest_gap(pair.caller.heard.packets, decided, heard) * 1000
        run["ordinary_calls_lost"] = sum(not one.caller.talking for one in self.pairs)
        return run

    def _two_way(self, elder: Elder) -> Pair | None:
        since = elder.invited_at
        if tones.first(elder.heard.packets, tones.SEAT, since) is None:
            return None
        heard = (pair for pair in self.pairs if tones.first(pair.seat.heard.packets, tones.ELDER, since) is not None)
        return next(heard, None)

    def _measure(self, elder: Elder, pair: Pair) -> Run:
        began = elder.invited_at
        committed, incident = self.watch.seen[elder.caller_id]
        database = self.here.system.folder / "yinling.db"
        (decided,) = moments(database, incident, "leg.dialled", "json_extract(data, '$.break_in')")
        relatives = [i.at for i in self.here.town.exchange.invites() if i.number in self._relatives(elder)]
        at_seat = tones.first(pair.seat.heard.packets, tones.ELDER, began)
        at_elder = tones.first(elder.heard.packets, tones.SEAT, began)
        sign = tones.first_other(pair.seat.heard.packets, tones.ORDINARY, decided)
        assert at_seat is not None
        assert at_elder is not None
        times = {
            "committed": committed,
            "answered": elder.answered_at,
            "family": min(relatives, default=None),
            "listed": self._last(incident, [s.listed for s in self.screens]),
            "filed": self._last(incident, [s.filed for s in self.screens]),
            "decided": decided,
            "sign": sign,
            "two_way": max(at_seat, at_elder),
        }
        run: Run = {"ms": {name: (at - began) * 1000 for name, at in times.items() if at is not None}}
        run["ms"]["decision_to_sign"] = ((sign or at_seat) - decided) * 1000
        run["ms"]["decision_to_room"] = (at_seat - decided) * 1000
        run["decided_at"] = decided
        return run

    def _relatives(self, elder: Elder) -> Sequence[str]:
        return next(person.contacts for person in self.here.system.people if person.phone == elder.caller_id)

    @staticmethod
    def _last(incident: str, seen: Sequence[dict[str, float]]) -> float | None:
        """When the last of the screens had it; None when one never did."""
        times = [one[incident] for one in seen if incident in one]
        return max(times) if len(times) == len(seen) else None


@asynccontextmanager
async def busy_centre(here: Centre) -> AsyncIterator[Go]:
    async with AsyncExitStack() as stack:
        busy = BusyCentre(here, await stack.enter_async_context(Watch(here.at, close_after_s=None)))
        await busy.open(stack)
        yield busy.press


async def run(count: int, systems: int) -> list[Run]:
    return await side_by_side(count, systems, people, busy_centre)
