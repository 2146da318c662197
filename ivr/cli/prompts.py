"""`ivr prompts build`: make the prompt audio whose text changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    actions = commands.add_parser("prompts", help="提示音 prompts").add_subparsers(required=True, metavar="ACTION")
    parser = actions.add_parser("build", help="生成有改动的提示音 make those that changed")
    parser.add_argument("names", nargs="*", help="只生成这些 only these")
    parser.set_defaults(run=run)


def run(_settings: Settings, args: argparse.Namespace) -> int:
    from ivr.prompts.__main__ import main

    return main(args.names)
