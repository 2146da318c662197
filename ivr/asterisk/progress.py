"""Progress a person can watch: one moving line on a terminal, a few plain lines in a log."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

Progress = Callable[[str, float], None]
"""Called with what is going on and how far it is, 0 to 100."""


def silent(_what: str, _percent: float) -> None:
    """For callers that only want the result."""


def console_progress(stream: TextIO | None = None) -> Progress:
    """Moving line on a terminal; elsewhere one line per quarter, so that a log stays short."""
    out = stream or sys.stderr
    moving = out.isatty()
    last: dict[str, int] = {}

    def show(what: str, percent: float) -> None:
        step = int(percent) if moving else int(percent) // 25 * 25
        if last.get(what) == step:
            return
        last[what] = step
        if moving:
            out.write(f"\r\033[K{what} {step:3d} %" + ("\n" if step >= 100 else ""))
        else:
            out.write(f"{what} {step} %\n")
        out.flush()

    return show
