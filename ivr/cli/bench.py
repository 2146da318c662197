"""`ivr bench`: measure this machine; figures are shown, never asserted."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    parser = commands.add_parser("bench", help="性能测量 measure")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="转给 bench passed on")
    parser.set_defaults(run=run)


def run(_settings: Settings, args: argparse.Namespace) -> int:
    from ivr.errors import UsageError
    from ivr.settings import PROJECT_ROOT

    if not (PROJECT_ROOT / "bench" / "__main__.py").is_file():
        raise UsageError(
            "找不到 bench 目录，请在项目源码中运行", "no bench/ here: run it from a checkout of the project"
        )
    return subprocess.run([sys.executable, "-m", "bench", *args.arguments], cwd=PROJECT_ROOT).returncode
