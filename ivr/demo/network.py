"""`ivr demo-network`: runs the town, and sits its agent down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from ivr.asterisk.config import SeatLogin
from ivr.asterisk.portable import AsteriskProgram, asterisk_command
from ivr.demo.render import render_town
from ivr.demo.town import Status, Town, status_path, write_status
from ivr.errors import StartError
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.seats import SqlSeats

log = logging.getLogger(__name__)

DEMO_SEAT = "1001"
BOOT_S = 30.0
SEAT_S = 20.0
STOP_S = 3.0
PAUSE_S = 0.2


async def main(settings: Settings, before_exec: Callable[[], None] | None = None) -> int:
    """Serve until cancelled. `before_exec` runs in the child, so that the town dies with us whatever kills us."""
    status_path(settings).unlink(missing_ok=True)
    program = asterisk_command(settings)
    async with Store(settings.effective_database_url, name="demo-network") as store:
        seats = SqlSeats(store)
        logins = {seat.extension: SeatLogin(seat.extension, seat.sip_digest) for seat in await seats.all()}
        seat = logins.get(DEMO_SEAT) or next(iter(logins.values()), None)
        config = render_town(settings, program, seat)
        async with _asterisk(program, config, before_exec) as process:
            town = Town(settings, program)
            await _booted(town, process)
            ready = seat is not None and await _sit_down(town, seats, seat.extension)
            write_status(settings, Status(os.getpid(), seat.extension if seat else None, ready))
            code = await process.wait()
    log.error("the town's Asterisk ended by itself, status %d", code)
    return 1


@asynccontextmanager
async def _asterisk(
    program: AsteriskProgram, config: Path, before_exec: Callable[[], None] | None
) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *program.serve(config),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=sys.stderr,
        stderr=sys.stderr,
        preexec_fn=before_exec,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _booted(town: Town, process: asyncio.subprocess.Process) -> None:
    try:
        async with asyncio.timeout(BOOT_S):
            while await town.cli("core waitfullybooted") is None:
                if process.returncode is not None:
                    break
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        pass
    else:
        if process.returncode is None:
            return
    raise StartError("模拟电话网的 Asterisk 没有启动", "the Asterisk of the demo network did not come up")


async def _sit_down(town: Town, seats: SqlSeats, extension: str) -> bool:
    """Register the agent's telephone and dial *11 from it, as a person would."""
    try:
        async with asyncio.timeout(SEAT_S):
            await _until(town.registered)
            log.info("telephone %s is registered", extension)
            while True:
                await town.dial("desk", "*11", "ready")
                await asyncio.sleep(PAUSE_S)
                await _until(town.hung_up, "desk")
                if await _is_ready(seats, extension):
                    log.info("seat %s is ready", extension)
                    return True
    except TimeoutError:
        log.error("seat %s could not be made ready by dialling *11", extension)
        return False


async def _until(look: Callable[..., Awaitable[bool]], *arguments: str) -> None:
    while not await look(*arguments):  # noqa: ASYNC110  # the CLI can only be asked
        await asyncio.sleep(PAUSE_S)


async def _is_ready(seats: SqlSeats, extension: str) -> bool:
    return any(seat.extension == extension and seat.state == "ready" for seat in await seats.all())
