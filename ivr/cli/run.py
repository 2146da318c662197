"""`ivr run`: the whole system."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    parser = commands.add_parser("run", help="启动整个系统 start the whole system")
    parser.add_argument(
        "--demo", action="store_true", help="同时启动模拟电话网 with a stand-in for the telephone network"
    )
    parser.set_defaults(run=run)


def run(settings: Settings, args: argparse.Namespace) -> int:
    from ivr.late import late
    from ivr.supervisor.run import run as run_system

    if args.demo:
        settings = late("ivr.demo.people", "with_demo_duty_phone")(settings)
    run_system(settings, demo=args.demo)
    return 0
