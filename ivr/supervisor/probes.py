"""Questions from outside whether a part serves; each returns when the answer is yes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

PAUSE_S = 0.1
PATIENCE_S = 2.0


def connect_host(bind_host: str) -> str:
    """Where to knock when a part listens on every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(bind_host, bind_host)  # noqa: S104


async def port_accepts(host: str, port: int) -> None:
    """Knock until the port accepts."""
    while True:
        try:
            async with asyncio.timeout(PATIENCE_S):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return
        except (OSError, TimeoutError):
            await asyncio.sleep(PAUSE_S)


async def http_answers(host: str, port: int, path: str) -> None:
    """Until the page is answered; 503 counts, since it only says that another part does not serve yet."""
    while True:
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
                    words = (await reader.readline()).split()
                finally:
                    writer.close()
            if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1] in (b"200", b"503"):
                return
        except (OSError, TimeoutError, ValueError):
            pass
        await asyncio.sleep(PAUSE_S)


async def command_succeeds(argv: Sequence[str]) -> None:
    """Until the command ends with status 0 (Asterisk's CLI: refused while it is not up)."""
    while True:
        asking = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            if await asking.wait() == 0:
                return
        finally:
            if asking.returncode is None:
                asking.kill()
        await asyncio.sleep(PAUSE_S)


async def process_wrote(path: Path) -> None:
    """Until a living process says in this JSON file (`pid`) that it serves; a dead one's file does not count."""
    while True:
        try:
            os.kill(int(json.loads(path.read_text())["pid"]), 0)
            return
        except (OSError, ValueError, TypeError, KeyError):
            await asyncio.sleep(PAUSE_S)
