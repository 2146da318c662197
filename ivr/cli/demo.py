"""`ivr demo press|call`: a real SIP call through the stand-in for the telephone network."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    parser = commands.add_parser("demo", help="拨打演示电话 place a demo call")
    parser.add_argument("what", choices=("press", "call"), help="press 按呼叫器 pendant · call 普通来电 ordinary call")
    parser.set_defaults(run=run)


def run(settings: Settings, args: argparse.Namespace) -> int:
    import asyncio

    from ivr.errors import UsageError
    from ivr.late import late
    from ivr.supervisor.preflight import is_running

    if not is_running(settings.data_dir.resolve()):
        raise UsageError(
            "系统没有运行，请先执行 ivr run --demo", "the system is not running: start it with ivr run --demo"
        )
    done: bool = asyncio.run(late("ivr.demo.caller", args.what)(settings))
    return 0 if done else 1
