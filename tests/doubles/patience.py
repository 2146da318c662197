"""Waiting for something to come true, where nothing rings a bell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(look: Callable[[], object], within: float = 5.0) -> None:
    """TimeoutError when `look` gives nothing true in time."""
    async with asyncio.timeout(within):
        while not look():  # noqa: ASYNC110  # what is looked at has no event of its own
            await asyncio.sleep(0.01)
