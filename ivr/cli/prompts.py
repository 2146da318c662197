"""`ivr prompts build`: make the audio whose text changed. `ivr prompts install`: play a centre's new recordings now."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    actions = commands.add_parser("prompts", help="提示音 prompts").add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("build", help="生成有改动的提示音 make those that changed")
    parser.add_argument("names", nargs="*", help="只生成这些 only these")
    parser.set_defaults(run=run)
    parser = actions.add_parser("install", help="启用中心自己的录音 put the centre's own recordings in use")
    parser.set_defaults(run=run_install)


def run(_settings: Settings, args: argparse.Namespace) -> int:
    from ivr.prompts.__main__ import main

    return main(args.names)


def run_install(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.asterisk.config import install_sounds
    from ivr.supervisor.preflight import make_data_dir

    make_data_dir(settings)
    done = install_sounds(settings)
    for refused in done.refused:
        print(f"✗ {refused}", file=sys.stderr)
    for name in done.unknown:
        print(f"! {name} 不对应任何提示音 · is called like no prompt", file=sys.stderr)
    replaced = len(done.own) - len(done.unknown)
    print(f"{replaced} 条用中心自己的录音，来自 {settings.own_prompts}")
    print(f"{replaced} prompts are the centre's own, from {settings.own_prompts}")
    return 1 if done.refused else 0
