"""`ivr bench`: measure this machine; figures are shown, never asserted."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


PARTS = "emergencies|break-in|family|survival|restart|locked|storm|memory|recording|speech|speech-line|speech-load|rate"


def add(commands: Any) -> None:
    parser = commands.add_parser("bench", help="性能测量 measure")
    parser.add_argument(
        "parts",
        nargs="*",
        metavar=PARTS,
        help="不写则全部 all",
    )
    parser.add_argument("--quick", action="store_true", help="几通电话 a few calls: shows that it runs, not how fast")
    for name, what in (
        ("rounds", "轮数 of the rate"),
        ("seconds", "每段秒数 a block"),
        ("prompt", "提示音秒数 greeting"),
        ("every", "每隔几句测一句 each nth utterance, for speech-line"),
        ("model", "语音模型目录 another Vosk model, for speech"),
        ("count", "次数 how often a journey is gone"),
        ("systems", "并行几套系统 private systems side by side, for journeys"),
    ):
        parser.add_argument(f"--{name}", help=what)
    parser.add_argument("--add", action="store_true", help="加到已有的结果上 journeys: add to the results there are")
    parser.set_defaults(run=run)


def run(_settings: Settings, args: argparse.Namespace) -> int:
    from ivr.errors import UsageError
    from ivr.settings import PROJECT_ROOT

    if not (PROJECT_ROOT / "bench" / "__main__.py").is_file():
        raise UsageError(
            "找不到 bench 目录，请在项目源码中运行", "no bench/ here: run it from a checkout of the project"
        )
    given = [f"--{name}" for name in ("quick", "add") if getattr(args, name)]
    given += [
        f"--{name}={getattr(args, name)}"
        for name in ("rounds", "seconds", "prompt", "every", "model", "count", "systems")
        if getattr(args, name)
    ]
    return subprocess.run([sys.executable, "-m", "bench", *args.parts, *given], cwd=PROJECT_ROOT).returncode
