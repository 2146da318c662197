"""Run one part of the system in this process: its loop, its heartbeat, its end by signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

from ivr.heartbeat import beat, heartbeat_address
from ivr.settings import Settings

PartMain = Callable[[Settings], Awaitable[object]]


def run_part(name: str, main: PartMain, settings: Settings) -> int:
    """`main` serves until it is cancelled; SIGTERM and Ctrl-C cancel it and count as a clean end."""
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_serve(name, main, settings))
    return 0


async def _serve(name: str, main: PartMain, settings: Settings) -> None:
    # The heartbeat lives in the loop that serves calls: it stops when that loop hangs.
    heart = asyncio.create_task(beat(heartbeat_address(settings.data_dir), name), name="heartbeat")
    work = asyncio.ensure_future(main(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await work
    finally:
        heart.cancel()
