"""Run one part of the system in this process: its loop, its heartbeat, its end by signal."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from ivr.heartbeat import beat, heartbeat_address
from ivr.settings import Settings

PartMain = Callable[[Settings], Awaitable[int | None]]


def run_part(name: str, main: PartMain, settings: Settings) -> int:
    """`main` serves until it is cancelled; SIGTERM and Ctrl-C cancel it and count as a clean end."""
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    return uvloop.run(_serve(name, main, settings))


def _spare_the_collector() -> None:
    """What was imported stays: the collector need not walk it again and again (0.2 CPU-ms a call in the engine)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def _serve(name: str, main: PartMain, settings: Settings) -> int:
    # The heartbeat lives in the loop that serves calls: it stops when that loop hangs.
    _spare_the_collector()
    heart = asyncio.create_task(beat(heartbeat_address(settings.data_dir), name), name="heartbeat")
    work = asyncio.ensure_future(main(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        return int(await work or 0)
    except asyncio.CancelledError:
        return 0
    finally:
        heart.cancel()
