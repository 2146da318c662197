"""The pool's processes and the socket pair between the pool and each: started, watched and ended alike.

Down the pair come connections as descriptors, each with a word that says what it is; up come lines of JSON, which are
also the signs of life. Neither end outlives the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from asyncio.subprocess import Process
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

LOOK_S = 0.25
"""How often a process's signs of life are looked at."""
MOST_HANDED = 8
MOST_WORD = 64


# ---- the pool's end


async def run_child(
    program: Sequence[str],
    arguments: Sequence[str],
    *,
    started: Callable[[Process, socket.socket], None],
    says: Callable[[Mapping[str, Any]], None],
) -> int:
    """One process from start to end: `python PROGRAM FD ARGUMENTS`; its exit status. Cancelled, it is killed.

    Args:
        started: called with the process and our end of the pair, before anything is heard of it.
        says: called with each line of JSON; one that is none, or of the wrong shape, is passed over.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    loop = asyncio.get_running_loop()

    def readable() -> None:
        try:
            raw = ours.recv(65536)
        except OSError:
            return
        if not raw:  # the end; process.wait() tells the rest
            loop.remove_reader(ours)
            return
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            says(json.loads(raw))

    with ours:
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *program, str(theirs.fileno()), *arguments,
                stdin=asyncio.subprocess.DEVNULL, pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        started(process, ours)
        loop.add_reader(ours, readable)
        try:
            return await process.wait()
        finally:
            loop.remove_reader(ours)
            kill(process)


def kill(process: Process | None) -> None:
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def how_it_ended(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"


class Pauses:
    """Ever longer before each new start, from the first again after one that lived `healthy_s`."""

    def __init__(self, pauses_s: Sequence[float], healthy_s: float) -> None:
        self._all = tuple(pauses_s)
        self._healthy_s = healthy_s
        self._left = deque(self._all)

    def after(self, lived_s: float) -> float:
        if lived_s > self._healthy_s:
            self._left = deque(self._all)
        return self._left.popleft() if len(self._left) > 1 else self._left[0]


def starved(since_last_look_s: float) -> bool:
    """The looker itself was stopped or starved: what it did not hear meanwhile proves nothing."""
    return since_last_look_s > LOOK_S + 0.5


# ---- the process's end


async def handed_over(control: socket.socket) -> AsyncGenerator[tuple[bytes, socket.socket], None]:
    """(word, connection) of each that the pool hands over, until the pool closes its end."""
    control.setblocking(False)
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(control, readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            try:
                word, handed, _, _ = socket.recv_fds(control, MOST_WORD, MOST_HANDED)
            except BlockingIOError:
                continue
            except OSError:
                return
            for number in handed:
                yield word, socket.socket(fileno=number)
            if not word and not handed:
                return
            readable.set()  # several may have come at once
    finally:
        loop.remove_reader(control)


async def tell(control: socket.socket, says: Callable[[], Mapping[str, Any]], every_s: float) -> None:
    """For ever: what `says` returns, and so that the event loop turns."""
    while True:
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            control.send(json.dumps(says()).encode())
        await asyncio.sleep(every_s)
