"""The pool's care for the second ear: starts it, watches it, and gives each worker a line to it.

Each pair (worker, second ear) has a socket pair of its own, made here and passed to both, so that neither's end touches
anybody else, and nothing of what is said goes through the pool. It may be missing, loading, hung or dead: the workers
then hear as they do without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from asyncio.subprocess import Process
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from ivr.settings import Settings
from ivr.speech.control import LOOK_S, Pauses, how_it_ended, kill, run_child, starved
from ivr.speech.models import SECOND_EAR, models_dir
from ivr.speech.second_ear import PACKAGES

log = logging.getLogger(__name__)

PROGRAM = ("-m", "ivr.speech.second_process")
ENGINE = "faster_whisper"
NOT_INSTALLED = 3
LINE = b"second"
"""What a worker is told with its end of a line."""
SILENT_S = 3.0
"""It tells twice a second; behind everybody else on a full machine it may be late."""
HANG_S = 15.0
LOADING_S = 180.0
"""At the first start 139 MB are joined and checked first."""
PAUSES_S = (0.5, 5.0, 30.0, 120.0)
"""Nobody waits for it; loading it costs 3 s of a core."""
HEALTHY_S = 60.0


@dataclass
class SecondSays:
    """`state`: off · loading · ready · away (asked for, and missing, dead or hung)."""

    state: str = "off"
    pid: int | None = None
    restarts: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    """Since this process of it started: heard, dropped, failed, waiting."""


class Reachable(NamedTuple):
    """A worker that lives."""

    pid: int
    control: socket.socket


class SecondKeeper:
    def __init__(self, settings: Settings, workers: Callable[[], Iterable[Reachable]]) -> None:
        self._folder = weights_folder(settings)
        self._workers = workers
        self._lines: set[int] = set()
        """Workers that have a line to the present process."""
        self._process: Process | None = None
        self._last_sign = 0.0
        self.says = SecondSays("away")

    async def run(self) -> None:
        """Until cancelled, or until it is known that there is none to start."""
        if why := missing(self._folder):
            log.warning("要用第二只耳朵，但没有安装 the second ear is asked for and missing: %s; calls go on", why)
            self.says = SecondSays("away")
            return
        loop = asyncio.get_running_loop()
        pauses = Pauses(PAUSES_S, HEALTHY_S)
        while True:
            began = loop.time()
            code = await self._run_once()
            self.says = SecondSays("away", None, self.says.restarts + 1)
            if code == NOT_INSTALLED:
                log.warning("the second ear cannot start (see above); calls go on without it")
                return
            pause = pauses.after(loop.time() - began)
            how = how_it_ended(code)
            log.warning("the second ear %s; calls go on without it; starting it again in %.1f s", how, pause)
            await asyncio.sleep(pause)

    async def _run_once(self) -> int:
        watching: list[asyncio.Task[None]] = []

        def started(process: Process, control: socket.socket) -> None:
            self._process, self._last_sign = process, asyncio.get_running_loop().time()
            self._lines = set()
            self.says = SecondSays("loading", process.pid, self.says.restarts)
            watching.append(asyncio.create_task(self._watch(control), name="watch the second ear"))

        try:
            return await run_child(PROGRAM, [str(self._folder)], started=started, says=self._hears)
        finally:
            for task in watching:
                task.cancel()

    def kill(self) -> None:
        kill(self._process)

    def _hears(self, told: Mapping[str, Any]) -> None:
        counts = {str(name): int(value) for name, value in told.items()}
        if self.says.state == "loading":
            log.info("the second ear hears")
        self.says.state, self.says.counts = "ready", counts
        self._last_sign = asyncio.get_running_loop().time()

    async def _watch(self, control: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            now = loop.time()
            if starved(now - before):
                self._last_sign = max(self._last_sign, now - SILENT_S / 2)
            before = now
            self._judge(now - self._last_sign)
            if self.says.state == "ready":
                self._connect(control)
            await asyncio.sleep(LOOK_S)

    def _judge(self, silent_s: float) -> None:
        if silent_s > (LOADING_S if self.says.state == "loading" else HANG_S):
            log.warning("the second ear has given no sign of life for %.0f s and is killed", silent_s)
            self.kill()
        elif silent_s > SILENT_S and self.says.state == "ready":
            self.says.state = "away"

    def _connect(self, control: socket.socket) -> None:
        """A line for each worker that has none to this process: at its start, and at theirs."""
        living = {worker.pid: worker for worker in self._workers()}
        self._lines &= living.keys()
        for pid in living.keys() - self._lines:
            one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            with one, other, contextlib.suppress(OSError):  # full or gone: at the next look
                socket.send_fds(control, [LINE], [one.fileno()])
                socket.send_fds(living[pid].control, [LINE], [other.fileno()])
                self._lines.add(pid)


def weights_folder(settings: Settings) -> Path:
    return models_dir(settings) / SECOND_EAR


def missing(folder: Path) -> str:
    """What keeps it from starting, as far as can be told without loading anything; empty: nothing known."""
    if find_spec(ENGINE) is None:
        return f"no {ENGINE}; pip install '.[second-ear]'"
    if not (folder / "model.bin").is_file() and (gone := [name for name in PACKAGES if find_spec(name) is None]):
        return f"no {' '.join(gone)}; ivr model install second-ear"
    return ""
