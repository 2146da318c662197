"""The elders of a round, and how their families' telephones behave."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from tests.calls.harness import Answers, Behaviour, Busy, Declines, IncomingLeg, NoAnswer, Voicemail
from tests.calls.system import Person, prompt


@dataclass(frozen=True)
class Accepts:
    """A relative who presses 1 until somebody hears it: an engine that is away asks him again."""

    after_s: float

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()
        await asyncio.sleep(self.after_s)
        await call.answer()
        while True:
            await asyncio.sleep(2.5)
            call.press("1")


def anybody(chance: random.Random) -> Behaviour:
    return chance.choice(
        [
            NoAnswer(),
            Busy(),
            Declines(after_s=chance.uniform(0.2, 2)),
            Voicemail(prompt("queue/still_waiting")),
            Answers(after_s=chance.uniform(0.2, 3), presses="2", presses_after_s=2.5),
            Accepts(after_s=chance.uniform(0.2, 3)),
            Accepts(after_s=chance.uniform(0.2, 3)),
        ]
    )


def elders(number: int, at_once: int) -> list[Person]:
    """Of one round; everybody of every round has numbers of his own."""
    made = []
    for place in range(at_once):
        serial = number * at_once + place
        contacts = [f"138{serial:04d}{n:04d}" for n in range(1, 4)]
        made.append(Person(f"E{serial}", f"老人{serial}", f"0215{serial:07d}", contacts))
    return made
