"""Start parts in order, keep them, stop them in reverse order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.errors import StartError
from ivr.supervisor.board import Board
from ivr.supervisor.heartbeat import Heartbeats, heartbeat_address
from ivr.supervisor.part import Part, PartFailed, Say
from ivr.supervisor.spec import PartSpec


class Supervisor:
    """One run of the whole system. Use once: `await Supervisor(…).run(on_ready)`."""

    def __init__(
        self, specs: Sequence[PartSpec], data_dir: Path, say: Say, *, restart: bool = True, hang_s: float = 20.0
    ) -> None:
        self._specs = specs
        self._data_dir = data_dir.resolve()
        self._say = say
        self._restart = restart
        self._hang_s = hang_s
        self._stop_requested = asyncio.Event()
        self._parts: list[Part] = []
        self._failure: StartError | None = None

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Until Ctrl-C, SIGTERM or `request_stop()`.

        Raises:
            StartError: a part did not come up; everything is stopped again.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.request_stop)
        beats = Heartbeats()
        await beats.open(heartbeat_address(self._data_dir))
        try:
            async with asyncio.TaskGroup() as tasks:
                starter = tasks.create_task(self._start_all(tasks, beats, on_ready), name="starter")
                await self._stop_requested.wait()
                starter.cancel()
                for part in reversed(self._parts):
                    await part.stop()
        finally:
            for part in self._parts:  # only after a fault of our own: normally they are gone by now
                part.kill()
            beats.close()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                loop.remove_signal_handler(number)
        if self._failure is not None:
            raise self._failure

    def request_stop(self) -> None:
        """First time: in order. Second time: at once."""
        if not self._stop_requested.is_set():
            self._say("正在按顺序停止（再按一次 Ctrl-C 立即结束）", "stopping in order (Ctrl-C again: at once)")
            self._stop_requested.set()
            return
        for part in self._parts:
            part.kill()

    async def _start_all(self, tasks: asyncio.TaskGroup, beats: Heartbeats, on_ready: Callable[[], None]) -> None:
        board = Board(self._data_dir / "run" / "parts.json")
        for spec in self._specs:
            board.set(spec.name, "waiting", None, 0)
        unready: list[Part] = []
        try:
            for spec in self._specs:
                if spec.waits:
                    await self._all_ready(unready)
                part = Part(
                    spec,
                    self._data_dir / "log" / f"{spec.name}.log",
                    board,
                    beats,
                    self._say,
                    restart=self._restart,
                    hang_s=self._hang_s,
                )
                self._parts.append(part)
                unready.append(part)
                tasks.create_task(part.keep(), name=f"keep-{spec.name}")
            await self._all_ready(unready)
        except StartError as error:
            self._failure = error
            self._stop_requested.set()
            return
        on_ready()

    async def _all_ready(self, unready: list[Part]) -> None:
        """Wait for each, say how long it took, and empty the list."""
        while unready:
            part = unready[0]
            name = part.spec.name
            try:
                took = await asyncio.shield(part.first_ready)
            except PartFailed as error:
                raise StartError(
                    f"{name} 启动失败：{error}；详见 {part.log}", f"{name} did not start ({error}); see {part.log}"
                ) from None
            self._say(f"{name} 就绪，用时 {took:.1f} 秒", f"{name} is ready after {took:.1f} s")
            del unready[0]
