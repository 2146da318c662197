"""等一个条件成立：有事发生就再看一次。Waiting for a condition that is looked at again whenever something happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class DidNotHappen(AssertionError):
    """What a test waited for did not happen in time; the message holds the carrier's log."""


class Bell:
    """Rung after every SIP message; `until` looks at its condition at each ring."""

    def __init__(self, story: Callable[[], str] = lambda: "") -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self._story = story

    def ring(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, look: Callable[[], T | None], within: float, what: str) -> T:
        """The first result of `look` that is neither None nor False; `DidNotHappen` after `within` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            found = look()
            if found is not None and found is not False:
                return found
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait_for(waiter, max(0.0, deadline - loop.time()))
            except TimeoutError:
                raise DidNotHappen(f"not within {within} s: {what}\n{self._story()}") from None
            finally:
                self._waiters.discard(waiter)
