"""Starting `tests.store.writer` as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


async def start_writer(url: str, name: str, count: int = 0) -> Process:
    """It has opened its store and waits for `go`."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.writer", url, name, str(count), stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    assert writer.stdout is not None
    assert await writer.stdout.readline() == b"ready\n"
    return writer


def go(writer: Process) -> None:
    assert writer.stdin is not None
    writer.stdin.write(b"\n")
