"""`ivr speech`: this part alone, in this process and its workers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    commands.add_parser("speech", help="语音识别 the speech workers alone").set_defaults(run=run)


def run(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.cli.part import run_part
    from ivr.late import late

    return run_part("speech", late("ivr.speech.pool", "main"), settings)
