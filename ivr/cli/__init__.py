"""The command `ivr`. One file per command; each imports its room only when it runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ivr.errors import PlainError

COMMANDS = (
    "run",
    "engine",
    "speech",
    "console",
    "asterisk",
    "demo_network",
    "doctor",
    "demo",
    "importing",
    "user",
    "token",
    "source",
    "prompts",
    "model",
    "voice",
    "names",
    "audit",
    "bench",
)


def build_parser() -> argparse.ArgumentParser:
    """Every command file adds itself: `add(subparsers)` sets `run`, a function of settings and arguments."""
    parser = argparse.ArgumentParser(
        prog="ivr", description="银铃：养老服务中心 12349 电话引擎 · Yinling telephone engine"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"ivr.cli.{name}").add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 only when what was asked was done; 1 for expected trouble, 2 for a wrong command line."""
    args = build_parser().parse_args(arguments)
    from ivr.settings import SettingsError, load_settings  # pydantic is slow to import; `--help` needs none

    try:
        return int(args.run(load_settings(), args) or 0)
    except SettingsError as error:
        print(f"设置有误：{error}\nwrong setting: {error}", file=sys.stderr)
    except PlainError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `ivr doctor | head`
        sys.stderr.close()
    return 1
