"""How a part tells the supervisor that its event loop still turns.

A process that hangs looks alive from outside; only a sign that the loop itself must send tells.
Standard library only and outside `ivr.supervisor`, since engine and console must not know who starts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from pathlib import Path

LONGEST_PATH = 100
"""The kernel takes 108 bytes for a socket's path."""


def heartbeat_address(data_dir: Path) -> str:
    """A socket file in the instance, or an abstract name of its own when the path is too long for the kernel."""
    path = str(data_dir.resolve() / "run" / "heartbeat.sock")
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    return "\0yinling-heartbeat-" + hashlib.sha256(os.fsencode(path)).hexdigest()[:24]


async def beat(path: str | Path, name: str, interval_s: float = 1.0) -> None:
    """Send `name pid` until cancelled; nobody listening (a part started alone) is no error."""
    message = f"{name} {os.getpid()}".encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        while True:
            with contextlib.suppress(OSError):
                sender.sendto(message, str(path))
            await asyncio.sleep(interval_s)
