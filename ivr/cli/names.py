"""`ivr names render`: record what is missing now. `ivr names forget`: remove every recording of a name or address."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings
    from ivr.voice.renderer import Progress


def add(commands: Any) -> None:
    group = commands.add_parser("names", help="老人姓名录音 elders' names as sound")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    actions.add_parser("render", help="现在就录完 record what is missing, now").set_defaults(run=run_render)
    actions.add_parser("forget", help="全部删除 remove all of them").set_defaults(run=run_forget)


def need_voice(settings: Settings) -> None:
    """Raises UsageError: there is no synthesiser, and how to have one."""
    from ivr.errors import UsageError
    from ivr.voice.synthesiser import find_voice

    if find_voice(settings) is None:
        raise UsageError(
            "没有语音合成：按 prompts/README.md 建立 build/prompts-venv 并执行一次 ivr prompts build，"
            "或设置 voice_python",
            "no synthesiser: make build/prompts-venv as prompts/README.md says and run ivr prompts build once, "
            "or set voice_python",
        )


def run_render(settings: Settings, _args: argparse.Namespace) -> int:
    import asyncio

    from ivr.supervisor.database import prepare_database
    from ivr.supervisor.preflight import make_data_dir
    from ivr.voicing import render_now

    need_voice(settings)
    make_data_dir(settings)
    prepare_database(settings)
    done = asyncio.run(render_now(settings, _tell))
    print(file=sys.stderr)
    if not done:
        print("没有录完，再执行一次会接着录 · not finished: run it again to go on", file=sys.stderr)
    return 0 if done else 1


def _tell(progress: Progress) -> None:
    line = f"{progress.state} {progress.made} / {progress.wanted}"
    print(f"\r{line:<50}", end="", file=sys.stderr, flush=True)


def run_forget(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.voice.library import Library

    removed = Library(settings.spoken_dir).forget()
    print(f"删除了 {removed} 个录音 · {removed} recordings removed")
    return 0
