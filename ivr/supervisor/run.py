"""`ivr run` from beginning to end: check, fetch, prepare, start, keep, stop."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from ivr.asterisk.portable import AsteriskProgram, asterisk_command
from ivr.asterisk.progress import console_progress
from ivr.errors import StartError
from ivr.settings import Settings
from ivr.supervisor.database import prepare_database
from ivr.supervisor.first_start import Account, load_demo_data, make_accounts
from ivr.supervisor.parts import build_parts
from ivr.supervisor.preflight import check_disk, check_ports, make_data_dir, only_one
from ivr.supervisor.render import render_asterisk
from ivr.supervisor.screen import log_ins, welcome
from ivr.supervisor.supervisor import Supervisor


def run(settings: Settings, *, demo: bool) -> None:
    """Returns after an ordered stop.

    Raises:
        PlainError: it could not start; one sentence, nothing left running.
    """
    folder = make_data_dir(settings)
    with only_one(folder):
        check_disk(folder)
        check_ports(settings, demo=demo)
        program = asterisk_command(settings, console_progress())
        prepare_database(settings)
        asyncio.run(_serve(settings, program, demo=demo))


async def _serve(settings: Settings, program: AsteriskProgram, *, demo: bool) -> None:
    accounts: list[Account] = await make_accounts(settings)
    if demo:
        await load_demo_data(settings)
    config = await render_asterisk(settings, program)
    supervisor = Supervisor(
        build_parts(settings, program, config, demo=demo),
        settings.data_dir,
        say,
        restart=settings.restart_parts,
        hang_s=settings.engine_hang_s,
    )
    try:
        await supervisor.run(lambda: print(welcome(settings, accounts, demo=demo), flush=True))
    except StartError:
        if accounts:  # they exist now and will not be shown again
            print("\n".join(log_ins(accounts)), file=sys.stderr)
        raise
    say("全部已停止", "everything is stopped")


def say(zh: str, en: str) -> None:
    """One line of the supervisor's own log, on the terminal."""
    print(f"{datetime.now().astimezone():%H:%M:%S} {zh} · {en}", flush=True)
