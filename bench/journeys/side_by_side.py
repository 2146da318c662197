"""Several private systems at once, each with a town of its own: in a journey one mostly waits.

A system that fails is left with what it has measured; the failure is part of the result.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.load import SippLoad
from bench.place import Place, place
from tests.calls.harness import CallRecord, IncomingLeg, Town
from tests.calls.system import DUTY, Person, System

Run = dict[str, Any]
"""One time gone through it: milliseconds by name, and what else is worth counting."""
MOST_FAILURES = 3


@dataclass
class Centre:
    at: Place
    town: Town
    rings: SippLoad
    """Answers for every number that has no telephone of its own: rings until it is stopped."""

    @property
    def system(self) -> System:
        return self.at.system

    async def until(self, look: Callable[[], Any], within: float, what: str) -> Any:
        """Poll ten times a second; what is measured is taken from packets and messages, not from this."""
        deadline = asyncio.get_running_loop().time() + within
        while not (found := look()):
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not within {within:g} s: {what}")
            await asyncio.sleep(0.1)
        return found

    async def close(self, incident: str) -> None:
        body = {"by": "bench", "outcome": "test", "reason": "measured, nothing else"}
        await self.system.api("POST", f"/incidents/{incident}/close", body, status=200)

    async def forget(self, *numbers: str) -> None:
        """These telephones are not needed any more."""
        for phone in [phone for phone in self.town.phones if phone.number in numbers]:
            self.town.phones.remove(phone)
            await phone.close()


@dataclass(frozen=True)
class Talks:
    """Picks up and says a tone for as long as the call lasts."""

    audio: bytes
    after_s: float = 0.3
    presses: str = ""
    presses_after_s: float = 1.5

    async def __call__(self, call: IncomingLeg) -> None:
        await call.ring()
        await asyncio.sleep(self.after_s)
        await call.answer()
        if not call.talking:
            return
        if self.presses:
            await asyncio.sleep(self.presses_after_s)
            call.press(self.presses)
            await call.said()
        call.say(self.audio)


@asynccontextmanager
async def centre(people: Sequence[Person], **options: str) -> AsyncIterator[Centre]:
    async with place(people, rtp_ports=200, IVR_DUTY_PHONE=DUTY, **options) as at:  # type: ignore[arg-type]
        settings = at.system.settings
        folder = at.folder / "town"
        async with Town(settings.sip_port, settings.trunk_port, at.sipp, ports=at.ports, folder=folder) as town:
            rings = at.load("rings", "relatives")
            keys = ("-key", "port", str(settings.trunk_port), "-key", "rtp_port", "9")
            await rings.start(*keys, to=("127.0.0.1", settings.trunk_port))

            async def take(_call: CallRecord) -> int:
                return rings.port

            town.exchange.register_default(take)
            try:
                yield Centre(at, town, rings)
            finally:
                await rings.stop()


Go = Callable[[int], Awaitable[Run]]
Scene = Callable[[Centre], AbstractAsyncContextManager[Go]]
"""Sets one system up; what it gives is gone through again and again."""


async def side_by_side(
    count: int,
    systems: int,
    people: Callable[[int], Sequence[Person]],
    scene: Scene,
    *,
    at_once: int = 1,
    **options: str,
) -> list[Run]:
    """`count` runs over all systems, `at_once` of them in each at the same time."""
    runs: list[Run] = []
    one_starts = asyncio.Lock()  # the migrations of the databases share one Alembic context

    async def one(share: int) -> None:
        async with AsyncExitStack() as stack:
            async with one_starts:
                here = await stack.enter_async_context(centre(people(share), **options))
            go = await stack.enter_async_context(scene(here))
            await asyncio.gather(*(_go(go, range(n, share, at_once), runs) for n in range(at_once)))

    shares = [count // systems + (n < count % systems) for n in range(systems)]
    for outcome in await asyncio.gather(*(one(share) for share in shares if share), return_exceptions=True):
        if isinstance(outcome, BaseException):
            print(f"  一个系统中止 a system was given up: {outcome!r:.600}", flush=True)
    return runs


async def _go(go: Go, numbers: Sequence[int], runs: list[Run]) -> None:
    failures = 0
    for number in numbers:
        try:
            run = await go(number)
        except (AssertionError, TimeoutError, OSError) as failed:
            failures += 1
            run = {"failed": f"{failed}".splitlines()[0][:300]}
            print(f"  {run['failed']}", flush=True)
            if failures >= MOST_FAILURES:
                raise
        runs.append(run)
        if len(runs) % 10 == 0:
            print(f"  {len(runs)}", flush=True)
