"""启动、等待、结束一个 SIPp 进程。One SIPp process: start it, wait for it, end it, say what went wrong.

Facts of SIPp 3.8 that this rests on:
- SIGUSR1 and the control socket's `q` only wait for calls to end. A second one aborts them, with CANCEL or BYE from a
  caller but *nothing at all* from a callee (call::abortCall checks creationMode). The control socket sets no
  variables. So hanging up on command is done in SIP: the exchange sends the process a request named HANGUP within
  the call, the scenario waits for it beside BYE, and SIPp then sends a proper BYE or CANCEL itself.
- the status of a response must be a literal in the scenario, no variable.
- `-default_behaviors all,-abortunexp` (with calls, not with registrations): a message that a scenario does not
  expect is logged, not answered with a BYE.
- every process opens a UDP control socket, on all interfaces from 8888 up unless told otherwise.
- with nothing to do it wakes each millisecond (`pollset_process`). A message wakes it at once whatever the slack of
  its timers is, so it is started with a large one: an idle telephone then costs 0.17 % of a core instead of 0.67 %.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from tests.calls.harness.ports import PortBlock
from tests.calls.harness.sip import Address

SippCommand = list[str]
SCENARIOS = Path(__file__).parent.parent / "scenarios"
LONGEST_CALL_S = 900


FOR_CALLS = ("-default_behaviors", "all,-abortunexp")


class SippFailed(AssertionError):
    """SIPp ended other than well; the message holds what its error file says."""


class Sipp:
    def __init__(self, scenario: str, folder: Path, ports: PortBlock) -> None:
        self.scenario, self.folder, self._ports = scenario, folder, ports
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self._control = ports.take(), ports.take()
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    async def start(
        cls,
        command: SippCommand,
        scenario: str,
        remote: Address,
        folder: Path,
        ports: PortBlock,
        *,
        keys: Mapping[str, str | int] | None = None,
        options: tuple[str, ...] = FOR_CALLS,
    ) -> Self:
        """Play `scenario` once against `remote`; logs and traces go to `folder`."""
        sipp = cls(scenario, folder, ports)
        argv = [*command, f"{remote[0]}:{remote[1]}", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-m", "1"]
        argv += ["-i", "127.0.0.1", "-p", str(sipp.port), "-ci", "127.0.0.1", "-cp", str(sipp._control)]
        argv += ["-nostdin", "-skip_rlimit", "-aa"]
        argv += ["-deadcall_wait", "0", "-timeout", str(LONGEST_CALL_S), "-timeout_error"]
        argv += ["-trace_msg", "-message_file", "messages.log", "-trace_err", "-error_file", "errors.log"]
        argv += ["-trace_logs", "-log_file", "logs.log", *options]
        for key, value in (keys or {}).items():
            argv += ["-key", key, str(value)]
        with (folder / "screen.txt").open("wb") as screen, _lazy_timers():
            sipp._process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "TERM": "dumb"},
                start_new_session=True,
            )
        return sipp

    async def listening(self, within: float = 10.0) -> None:
        """Until its SIP port is open. Asked of /proc: a test bind could take the port in just that moment."""
        async with asyncio.timeout(within):
            while not _udp_open(self.port):
                if self.status is not None:
                    raise SippFailed(f"{self.scenario} ended at once ({self.status}):\n{self.errors()}")
                await asyncio.sleep(0.01)

    @property
    def status(self) -> int | None:
        return self._process.returncode if self._process else None

    async def finished(self, within: float = 10.0) -> None:
        """Until the scenario has ended well."""
        if self._process is None:
            return
        try:
            status = await asyncio.wait_for(self._process.wait(), within)
        except TimeoutError:
            raise SippFailed(f"{self.scenario} still runs after {within} s\n{self.errors()}") from None
        if status != 0:
            raise SippFailed(f"{self.scenario} failed ({status}):\n{self.errors()}")

    async def kill(self) -> None:
        """End it now with all its children; its ports are free again afterwards. Safe to repeat."""
        if self._process is None:
            return
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        self._process = None
        self._ports.give_back(self.port, self._control)

    def errors(self, lines: int = 30) -> str:
        """The useful part of its error file, or of its screen when it never got that far."""
        for name in ("errors.log", "screen.txt"):
            with contextlib.suppress(FileNotFoundError):
                text = (self.folder / name).read_text("utf-8", "replace").strip()
                if text:
                    return "\n".join(text.splitlines()[-lines:])
        return "(no error file)"


@contextlib.contextmanager
def _lazy_timers() -> Iterator[None]:
    """A child takes over the timer slack of the thread that starts it (PR_SET_TIMERSLACK, prctl(2))."""
    prctl = ctypes.CDLL(None).prctl
    prctl(29, ctypes.c_ulong(5_000_000), 0, 0, 0)
    try:
        yield
    finally:
        prctl(29, ctypes.c_ulong(0), 0, 0, 0)


def _udp_open(port: int) -> bool:
    wanted = f":{port:04X}"
    with open("/proc/net/udp", encoding="ascii") as table:
        return any(line.split()[1].endswith(wanted) for line in table.readlines()[1:])
