"""SIPp as a load generator: one long-running process for many calls."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench import proc

SCENARIOS = Path(__file__).parent / "scenarios"
LOOPBACK = "127.0.0.1"


@dataclass
class Outcome:
    """What one SIPp process did."""

    status: int
    wall_s: float
    cpu_ms: float
    counts: dict[str, str] = field(default_factory=dict, repr=False)
    setup_ms: list[float] = field(default_factory=list, repr=False)

    def count(self, name: str) -> int:
        return int(float(self.counts.get(f"{name}(C)", "0") or 0))

    @property
    def share_of_core(self) -> float:
        return self.cpu_ms / 1000 / self.wall_s if self.wall_s else 0.0


class SippLoad:
    """`await start()`, then `await finished()` or `await stop()`."""

    def __init__(self, command: list[str], scenario: str, folder: Path, *, port: int, control: int) -> None:
        self._command, self._scenario, self._folder = command, scenario, folder
        self.port, self._control = port, control
        self._process: asyncio.subprocess.Process | None = None
        self._began = self._cpu_ms = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    async def start(
        self, *options: str, to: tuple[str, int] | None = None, times_ms: dict[str, int] | None = None
    ) -> None:
        """`times_ms` fills in `%name%` of the scenario: SIPp takes no variable as a time."""
        text = (SCENARIOS / f"{self._scenario}.xml").read_text()
        for name, value in (times_ms or {}).items():
            text = text.replace(f"%{name}%", str(value))
        (self._folder / "scenario.xml").write_text(text)
        argv = [*self._command, *([f"{to[0]}:{to[1]}"] if to else []), "-sf", "scenario.xml"]
        argv += ["-i", LOOPBACK, "-p", str(self.port), "-ci", LOOPBACK, "-cp", str(self._control)]
        argv += ["-nostdin", "-skip_rlimit", "-aa", "-deadcall_wait", "0", "-trace_err", "-error_file", "errors.log"]
        argv += ["-trace_stat", "-stf", "stat.csv", "-fd", "1", *options]
        with (self._folder / "screen.txt").open("wb") as screen:
            self._process = await asyncio.create_subprocess_exec(
                *argv, stdin=subprocess.DEVNULL, stdout=screen, stderr=subprocess.STDOUT,
                cwd=self._folder, env={**os.environ, "TERM": "dumb"}, start_new_session=True,
            )  # fmt: skip
        self._began = time.monotonic()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def finished(self, within_s: float) -> Outcome:
        """Until it ends by itself; killed after `within_s` (status then is not 0)."""
        assert self._process is not None
        deadline = time.monotonic() + within_s
        while self._process.returncode is None and time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, IndexError, ProcessLookupError):
                self._cpu_ms = proc.cpu_ms(self.pid) or self._cpu_ms
            await asyncio.sleep(0.1)
        wall = time.monotonic() - self._began
        await self.stop()
        return Outcome(self._process.returncode or 0, wall, self._cpu_ms, self._counts(), self._setup_times())

    async def stop(self) -> None:
        """End it now; calls of its own that still live are left to Asterisk."""
        if self._process is None or self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def errors(self) -> str:
        for file in ("errors.log", "screen.txt"):
            with contextlib.suppress(FileNotFoundError):
                text = (self._folder / file).read_text("utf-8", "replace").strip()
                if text:
                    return "\n".join(text.splitlines()[-12:])
        return ""

    def _counts(self) -> dict[str, str]:
        with contextlib.suppress(FileNotFoundError), (self._folder / "stat.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
            return {key: value or "" for key, value in rows[-1].items() if key} if rows else {}
        return {}

    def _setup_times(self) -> list[float]:
        found = []
        for file in self._folder.glob("*_rtt.csv"):
            for line in file.read_text().splitlines()[1:]:
                parts = line.split(";")
                with contextlib.suppress(ValueError, IndexError):
                    found.append(float(parts[1]))
        return found


class Silence:
    """A UDP port that swallows audio: an open socket, so that no ICMP error costs anybody anything."""

    def __enter__(self) -> int:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self._socket.bind((LOOPBACK, 0))
        return int(self._socket.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._socket.close()
