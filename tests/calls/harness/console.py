"""Asterisk's own console, asked over its control socket: what `asterisk -rx` does, without starting a program for it.

A call test looks at channels and rooms many times a second; each `asterisk -rx` cost 25 CPU-ms, a quarter of a core
with seven tests at a time. Protocol: `main/asterisk.c`, `ast_remotecontrol` and `netconsole`. The server says who it
is in one line; commands end with a NUL; `cli quit after COMMAND` closes the connection behind the answer.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

LONGEST_S = 60.0


async def ask(control: Path, command: str) -> str | None:
    """The answer to a CLI command; None while nobody listens there."""
    try:
        async with asyncio.timeout(LONGEST_S):
            reader, writer = await asyncio.open_unix_connection(str(control))
            try:
                await reader.readuntil(b"\n")
                writer.write(b"cli quit after " + command.encode() + b"\0")
                return (await reader.read()).decode("utf-8", "replace")
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return None
