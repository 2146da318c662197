"""Asterisk's files of this instance, written from settings, secrets and the seats in the database."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ivr.asterisk.config import AmiSecrets, SeatLogin, render, render_seats
from ivr.asterisk.portable import AsteriskProgram, asterisk_command
from ivr.errors import StartError
from ivr.secrets_file import ensure_secrets
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.seats import SqlSeats


async def render_asterisk(settings: Settings, program: AsteriskProgram) -> Path:
    """Write this instance's Asterisk files; returns its `asterisk.conf`."""
    secrets = ensure_secrets(settings.secrets_file)
    return render(
        settings,
        AmiSecrets(secrets.ami_reader, secrets.ami_actor),
        await _seats(settings),
        modules_dir=program.modules_dir,
        asterisk_data_dir=program.data_dir,
    )


async def refresh_seats(settings: Settings) -> None:
    """Tell a running Asterisk about a seat that was added."""
    render_seats(settings, await _seats(settings))
    program = asterisk_command(settings)
    argv = program.remote(settings.asterisk_dir / "etc" / "asterisk.conf", "module reload res_pjsip.so")
    asking = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.DEVNULL)
    if await asking.wait() != 0:
        raise StartError("已新增，但 Asterisk 没有重新加载分机", "added, but Asterisk did not reload its seats")


async def _seats(settings: Settings) -> list[SeatLogin]:
    async with Store(settings.effective_database_url, name="render") as store:
        return [SeatLogin(seat.extension, seat.sip_digest) for seat in await SqlSeats(store).all()]
