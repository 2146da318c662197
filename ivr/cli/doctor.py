"""`ivr doctor`: what is missing, before it hurts."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


def add(commands: Any) -> None:
    commands.add_parser("doctor", help="检查环境 check this machine and instance").set_defaults(run=run)


def run(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.doctor import examine, report

    findings = examine(settings)
    print(report(findings))
    return 1 if any(finding.blocks for finding in findings) else 0
