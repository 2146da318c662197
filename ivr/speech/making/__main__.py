"""`python -m ivr.speech.making all`, or one step: material, features, train, graph, export, evaluate."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[3]


def main(arguments: list[str]) -> int:
    try:
        from . import pipeline
        from .codecs import ToolsMissing
    except ImportError as error:
        print(
            f"制作语音模型需要额外的软件包（缺少 {error.name}） · making the speech model needs packages of its own "
            f"({error.name} is missing): pip install -r ivr/speech/making/requirements.txt",
            file=sys.stderr,
        )
        return 1
    from ivr.prompts.tools import ToolsMissing as KokoroMissing

    plan = pipeline.Plan
    parser = argparse.ArgumentParser(prog="python -m ivr.speech.making", description=__doc__)
    parser.add_argument("step", choices=["all", *pipeline.STEPS])
    parser.add_argument("--work", type=Path, default=PROJECT_ROOT / "build" / "making", help="working folder")
    parser.add_argument("--tools", type=Path, default=PROJECT_ROOT / "build" / "kokoro", help="Kokoro's files")
    parser.add_argument("--target", type=Path, help="model folder; without it `model` in the working folder")
    parser.add_argument("--model", type=Path, action="append", help="evaluate: judge these instead, side by side")
    numbers = {item.name: item for item in fields(plan) if item.name not in ("work", "tools", "target")}
    for name, item in numbers.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(item.default), default=item.default)
    given = parser.parse_args(arguments)
    target = given.target or given.work / "model"
    chosen = plan(given.work, given.tools, target, **{name: getattr(given, name) for name in numbers})
    try:
        for name, step in pipeline.STEPS.items():
            if given.step in ("all", name):
                if name == "evaluate":
                    pipeline.evaluate(chosen, _say, given.model)
                else:
                    step(chosen, _say)
    except (ToolsMissing, KokoroMissing) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
