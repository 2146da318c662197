"""`python -m ivr.prompts.say FOLDER [--idle]`: the synthesiser serving `ivr voice`, in the Python that has Kokoro.

A line of JSON comes in (`{"text": …, "speed": …}`), a line goes out (`{"bytes": n, "why": ""}`) and then n bytes of
A-law. Names pass through pipes only: never a file, an argument or a log. `--idle`: it runs when the processor has
nothing else to do.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from .catalogue import HAN, Prompt
from .tools import MODEL, VOICES, ToolsMissing, kokoro_files


def main(folder: Path, *, idle: bool) -> int:
    _step_back(idle=idle)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between
    try:
        if not (folder / MODEL).is_file() or not (folder / VOICES).is_file():
            raise ToolsMissing(f"{folder} 里没有语音模型 · holds no synthesiser: ivr prompts build fetches it")
        from .build import Kokoro, render

        kokoro = Kokoro(kokoro_files(folder, lambda _: None))
    except ToolsMissing as missing:
        _answer(answers, why=str(missing))
        return 1
    _answer(answers, why="")
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        prompt = Prompt("voice/name", str(asked["text"]), "-", "-", "-", speed=float(asked["speed"]), pause_s=0.2)
        if why := unspeakable(prompt.text):
            _answer(answers, why=why)
            continue
        try:
            audio = render(kokoro, prompt)
        except Exception as error:  # the text may be anything; its own words must not reach a log
            _answer(answers, why=type(error).__name__)
        else:
            _answer(answers, audio)
    return 0


def unspeakable(text: str) -> str:
    """Why this text would be spoken with something left out; empty when all of it is known."""
    from pypinyin import pinyin

    if any(sound[0] == sign for sign, sound in zip(text, pinyin(list(text)), strict=True) if HAN.match(sign)):
        return "unknown character"
    return "" if HAN.search(text) else "nothing to say"


def _step_back(*, idle: bool) -> None:
    with contextlib.suppress(OSError, AttributeError):
        os.nice(19 if idle else 10)
        if idle:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _answer(out: BinaryIO, audio: bytes = b"", why: str = "") -> None:
    out.write(json.dumps({"bytes": len(audio), "why": why}).encode() + b"\n" + audio)
    out.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), idle="--idle" in sys.argv[2:]))
