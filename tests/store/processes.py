"""Starting `tests.store.writer` as a process of its own."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


async def start_writer(url: str, name: str, count: int = 0) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.store.writer", url, name, str(count), stdout=PIPE, cwd=ROOT
    )
