"""`ivr asterisk`: render this instance's configuration and become Asterisk."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    commands.add_parser("asterisk", help="仅 Asterisk · Asterisk alone").set_defaults(run=run)


def run(settings: Settings, _args: argparse.Namespace) -> int:
    import asyncio

    from ivr.asterisk.portable import asterisk_command
    from ivr.asterisk.progress import console_progress
    from ivr.supervisor.database import prepare_database
    from ivr.supervisor.preflight import make_data_dir
    from ivr.supervisor.render import render_asterisk

    make_data_dir(settings)
    program = asterisk_command(settings, console_progress())
    prepare_database(settings)
    argv = program.serve(asyncio.run(render_asterisk(settings, program)))
    os.execvp(argv[0], argv)  # noqa: S606  # becomes Asterisk, so that signals and exit status are its own
