"""`ivr console`: this part alone, in this process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    commands.add_parser("console", help="坐席控制台 the agent console alone").set_defaults(run=run)


def run(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.cli.part import run_part
    from ivr.late import late

    return run_part("console", late("agent_console.main", "main"), settings)
