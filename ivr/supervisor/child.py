"""Start one child so that nothing of it can outlive the supervisor, whatever kills that."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from ivr.supervisor.spec import PartSpec

PR_SET_PDEATHSIG = 1
LOG_LIMIT = 10_000_000
LOG_GENERATIONS = 3


def die_with(parent: int) -> Callable[[], None]:
    """Code for the child between fork and exec: the kernel kills it when its parent is gone."""
    libc = ctypes.CDLL(None, use_errno=True)  # loaded before the fork: nothing may allocate much after it

    def apply() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return apply


async def spawn(spec: PartSpec, log: Path) -> asyncio.subprocess.Process:
    """A session of its own: Ctrl-C on the terminal reaches only the supervisor, which stops parts in order."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *spec.argv,
            env={**os.environ, **spec.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=die_with(os.getpid()),
        )


def kill_group(pid: int, what: signal.Signals = signal.SIGKILL) -> None:
    """Signal the part and everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, what)


def rotate(log: Path) -> None:
    """At each start of the system a large log moves to `.1`, `.1` to `.2`, and so on."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if not log.exists() or log.stat().st_size < LOG_LIMIT:
        return
    for number in range(LOG_GENERATIONS, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log if number == 1 else log.with_name(f"{log.name}.{number - 1}")
        if newer.exists():
            os.replace(newer, older)


def last_line(log: Path) -> str:
    """The last thing a part said; usually why it ended."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            text = file.read().decode("utf-8", "replace")
            lines = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""
