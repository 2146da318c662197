"""接电话的人怎么做。What the person at a phone does when it rings; one coroutine per call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tests.calls.harness.g711 import RATE, encode_alaw
from tests.calls.harness.legs import IncomingLeg

Thing = TypeVar("Thing")


class Behaviour(Protocol):
    async def __call__(self, call: IncomingLeg) -> None: ...


@dataclass(frozen=True)
class Answers:
    """Rings, picks up after `after_s`; then may speak, press keys, hang up (seconds count from the answer)."""

    after_s: float = 0.5
    says: Path | bytes | None = None
    says_after_s: float = 0.0
    presses: str = ""
    presses_after_s: float = 1.0
    hangs_up_after_s: float | None = None

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()
        await asyncio.sleep(self.after_s)
        await call.answer()
        async with asyncio.TaskGroup() as deeds:
            if self.says is not None:
                deeds.create_task(_later(self.says_after_s, call.say, self.says))
            if self.presses:
                deeds.create_task(_later(self.presses_after_s, call.press, self.presses))
            if self.hangs_up_after_s is not None:
                await asyncio.sleep(self.hangs_up_after_s)
                await call.hang_up()


@dataclass(frozen=True)
class NoAnswer:
    """Rings until the caller gives up."""

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()


@dataclass(frozen=True)
class Busy:
    """Engaged: 486 at once."""

    async def __call__(self, call: IncomingLeg) -> None:
        await call.refuse(486)


@dataclass(frozen=True)
class Declines:
    """Rings, then the person presses the red button: 603."""

    after_s: float = 0.5

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()
        await asyncio.sleep(self.after_s)
        await call.refuse(603)


@dataclass(frozen=True)
class Unreachable:
    """Switched off (480), no such number (404), no line (503): refused by the network.
    `status=None`: the network never says anything."""

    status: int | None = 503

    async def __call__(self, call: IncomingLeg) -> None:
        if self.status is not None:
            await call.refuse(self.status)


@dataclass(frozen=True)
class Voicemail:
    """A machine picks up, speaks, beeps, and records until `records_s` have passed. It presses nothing."""

    audio: Path | bytes
    after_s: float = 1.0
    records_s: float = 60.0

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()
        await asyncio.sleep(self.after_s)
        await call.answer()
        call.say(self.audio)
        call.say(beep())
        await call.said()
        await asyncio.sleep(self.records_s)
        await call.hang_up()


def beep(hertz: float = 1000.0, seconds: float = 0.5) -> bytes:
    wave = 8000 * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)
    return encode_alaw(wave.astype(np.int16))


async def _later(seconds: float, deed: Callable[[Thing], object], what: Thing) -> None:
    await asyncio.sleep(seconds)
    deed(what)
