"""One part over its whole life: start, ready, dead or hung, start again, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.supervisor.board import Board
from ivr.supervisor.child import kill_group, last_line, rotate, spawn
from ivr.supervisor.heartbeat import Heartbeats
from ivr.supervisor.spec import PartSpec

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
HEALTHY_S = 30.0
"""A part that lived this long starts again at once and with a clean slate."""

Say = Callable[[str, str], None]
"""One line in plain words, Chinese and English."""


class Part:
    """`keep()` runs as a task until `stop()`; every change of state goes to the board."""

    def __init__(
        self, spec: PartSpec, log: Path, board: Board, beats: Heartbeats, say: Say, *, restart: bool, hang_s: float
    ) -> None:
        self.spec = spec
        self.log = log
        self._board = board
        self._beats = beats
        self._say = say
        self._restart = restart
        self._hang_s = hang_s if spec.hang_s is None else min(spec.hang_s, hang_s)
        self._stop_requested = asyncio.Event()
        self._ended = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._restarts = 0
        self.first_ready: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.first_ready.add_done_callback(_seen)
        """Seconds that the first start took, or an error that says why it failed."""

    async def keep(self) -> None:
        """Run the part and start it again whenever it ends by itself."""
        rotate(self.log)
        pause = 0.0
        loop = asyncio.get_running_loop()
        try:
            while not self._stop_requested.is_set():
                started = loop.time()
                reason = await self._run_once()
                if self._stop_requested.is_set():
                    break
                if not self.first_ready.done():
                    self.first_ready.set_exception(PartFailed(reason))
                if not self._restart or isinstance(self.first_ready.exception(), PartFailed):
                    self._note("dead")
                    self._say(f"{self.spec.name} {reason}；不自动重启", f"{self.spec.name} {reason}; not restarted")
                    await self._stop_requested.wait()
                    break
                if loop.time() - started > HEALTHY_S:
                    pause = 0.0
                self._restarts += 1
                self._note("restarting")
                self._say(
                    f"{self.spec.name} {reason}，{pause:.1f} 秒后重启（第 {self._restarts} 次），日志 {self.log}",
                    f"{self.spec.name} {reason}; starting it again in {pause:.1f} s (no. {self._restarts})",
                )
                await self._pause(pause)
                pause = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, pause * 2))
        finally:
            if self._process is not None:
                kill_group(self._process.pid)
            self._note("dead" if not self._stop_requested.is_set() else "stopped")
            self._ended.set()

    async def _run_once(self) -> str:
        """One process from start to end; says how it ended."""
        try:
            process = await spawn(self.spec, self.log)
        except OSError as error:
            return f"无法启动 could not be started: {error.strerror}: {self.spec.argv[0]}"
        self._process = process
        if self._stop_requested.is_set():  # asked while it was being born
            kill_group(process.pid)
        self._note("starting")
        watch = asyncio.create_task(self._watch(process), name=f"watch-{self.spec.name}")
        code = await process.wait()
        watch.cancel()
        verdict = (await asyncio.gather(watch, return_exceptions=True))[0]
        kill_group(process.pid)  # whatever it had started itself
        self._beats.forget(process.pid)
        self._process = None
        if isinstance(verdict, str):
            return verdict
        said = last_line(self.log)
        how = f"被信号 {-code} 终止 killed by signal {-code}" if code < 0 else f"退出码 ended with status {code}"
        return how + (f" ({said})" if said and code > 0 else "")

    async def _watch(self, process: asyncio.subprocess.Process) -> str:
        """Wait until ready, then for silence; kills the process when it hangs and returns why."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(self.spec.ready_timeout_s):
                if self.spec.heartbeat:
                    await self._beats.wait_first(process.pid)
                await self.spec.ready()
        except TimeoutError:
            kill_group(process.pid)
            return f"{self.spec.ready_timeout_s:g} 秒内未就绪 was not ready in time"
        except Exception as error:  # a fault in the question must not leave the part half started for ever
            kill_group(process.pid)
            return f"就绪检查出错 readiness check failed: {error!r}"
        self._note("ready")
        if not self.first_ready.done():
            self.first_ready.set_result(loop.time() - started)
        else:
            self._say(f"{self.spec.name} 恢复 ({loop.time() - started:.1f} s)", f"{self.spec.name} is back")
        tick = min(1.0, self._hang_s / 4)
        while True:
            before = loop.time()
            await asyncio.sleep(tick)
            if loop.time() - before > tick + 1:  # this process was stopped or starved itself
                self._beats.forgive()
            silence = self._beats.silence_s(process.pid) if self.spec.heartbeat else None
            if silence is not None and silence > self._hang_s:
                kill_group(process.pid)
                return f"{silence:.0f} 秒没有心跳，已强制结束 gave no sign of life and was killed"

    async def stop(self) -> None:
        """Ask, then signal, then kill; returns when nothing of the part is left."""
        self._stop_requested.set()
        process = self._process
        if process is not None:
            self._note("stopping")
            if self.spec.stop_command is not None:
                await self._ask_to_stop(self.spec.stop_command)
            if process.returncode is None:
                kill_group(process.pid, self.spec.stop_signal)
            await self._wait_gone(self.spec.stop_timeout_s)
            kill_group(process.pid)
        await self._ended.wait()

    def kill(self) -> None:
        """At once."""
        self._stop_requested.set()
        if self._process is not None:
            kill_group(self._process.pid)

    async def _ask_to_stop(self, command: Sequence[str]) -> None:
        try:
            asking = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
        except OSError:
            return
        try:
            async with asyncio.timeout(2):
                if await asking.wait() == 0:
                    await self._ended.wait()
        except TimeoutError:
            if asking.returncode is None:
                asking.kill()
                await asking.wait()

    async def _wait_gone(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop_requested.wait()
        except TimeoutError:
            return

    def _note(self, state: str) -> None:
        pid = self._process.pid if self._process is not None else None
        self._board.set(self.spec.name, state, pid, self._restarts)


class PartFailed(Exception):
    """The very first start of a part did not end in ready; the text says how it ended."""


def _seen(future: asyncio.Future[float]) -> None:
    """A second failure beside the one that is told must not be complained of at exit."""
    if not future.cancelled():
        future.exception()
