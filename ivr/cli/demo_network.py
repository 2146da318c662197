"""`ivr demo-network`: this part alone, in this process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    commands.add_parser("demo-network", help="模拟电话网 the stand-in for the telephone network alone").set_defaults(
        run=run
    )


def run(settings: Settings, _args: argparse.Namespace) -> int:
    import os
    from functools import partial

    from ivr.cli.part import run_part
    from ivr.late import late
    from ivr.supervisor.child import die_with

    serve = partial(late("ivr.demo.network", "main"), before_exec=die_with(os.getpid()))
    return run_part("demo-network", serve, settings)
