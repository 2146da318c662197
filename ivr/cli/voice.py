"""`ivr voice`: this part alone, in this process."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    commands.add_parser("voice", help="姓名录音 elders' names as sound, alone").set_defaults(run=run)


def run(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.cli.names import need_voice
    from ivr.cli.part import run_part
    from ivr.late import late

    need_voice(settings)
    return run_part("voice", late("ivr.voicing", "main"), settings)
