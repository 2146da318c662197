"""`ivr speech`: one listening address, one worker process per core, and each new stream to the freest that lives.

The pool accepts and passes the connection on; it hears nothing itself. So a killed worker's address swallows no call,
and one that hangs is given none. A hung worker is killed within HANG_S, since by its source Asterisk's thread of a
call may wait for the far end to close (res_aeap, aeap.c); with 22.10.1 and a stopped worker it waited, 1.5 s, in one
case only: for the handshake of a connection that the worker had been given and not yet answered.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ivr.settings import Settings
from ivr.speech.control import LOOK_S, Pauses, how_it_ended, kill, run_child, starved
from ivr.speech.models import NO_MODEL, search
from ivr.speech.second_keeper import Reachable, SecondKeeper, SecondSays
from ivr.speech.status import WorkerSays, path_in, write_status

log = logging.getLogger(__name__)

PROGRAM = ("-m", "ivr.speech.worker")
SILENT_S = 0.7
"""No sign for so long and a worker gets no new stream; it gives one each 0.2 s."""
HANG_S = 2.0
"""No sign for so long and a worker is killed: less than the lease (agi_lease_s, 5 s), as its calls wait for it."""
LOADING_S = 120.0
"""The big model takes half a minute from a slow disk."""
PAUSES_S = (0.1, 0.5, 2.0, 5.0)
"""Before each new start. A worker that was killed once is back when it has loaded (1.7 s, the small model). One that
dies of its model, or for want of memory, is tried for ever, since either may be mended: every 5 s that is an eighth of
a core (0.9 s of 6.7)."""
HEALTHY_S = 30.0
"""A worker that lived so long did not die of its model, and the next pause is the first again; as the supervisor's."""


@dataclass
class Worker:
    name: str
    says: WorkerSays = field(default_factory=WorkerSays)
    process: Process | None = None
    control: socket.socket | None = None
    last_sign: float = 0.0
    handed: int = 0
    """Streams given to it since it last spoke."""


class Pool:
    def __init__(self, settings: Settings, model: Path | None) -> None:
        self._settings = settings
        self._model = model
        count = settings.speech_workers or os.cpu_count() or 1
        self.workers = [Worker(f"worker-{number}") for number in range(1, count + 1)]
        self._restarts = 0
        self._second = SecondKeeper(settings, self._reachable) if settings.speech_second_ear else None
        self._status = path_in(settings.data_dir)

    async def run(self) -> None:
        """Serve until cancelled; nothing of it is left then."""
        with socket.create_server(("127.0.0.1", self._settings.speech_port), backlog=64) as listening:
            listening.setblocking(False)
            self._status.parent.mkdir(parents=True, exist_ok=True)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._watch(), name="watch")
                    group.create_task(self._accept(listening), name="accept")
                    if self._model is not None:
                        for worker in self.workers:
                            group.create_task(self._keep(worker, self._model), name=worker.name)
                        if self._second is not None:
                            group.create_task(self._second.run(), name="second ear")
            finally:
                for worker in self.workers:
                    kill(worker.process)
                if self._second is not None:
                    self._second.kill()
                self._status.unlink(missing_ok=True)

    # ---- connections

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:  # no descriptor free: the caller is served by keys
                log.error("a stream was not accepted: %s", error.strerror)
                await asyncio.sleep(0.1)
                continue
            with connection:  # the worker has its own copy; without one, closing says at once that nobody hears
                self._hand_over(connection)

    def _hand_over(self, connection: socket.socket) -> None:
        for worker in sorted(self._alive(), key=lambda one: one.says.streams + one.handed):
            assert worker.control is not None
            try:
                socket.send_fds(worker.control, [b"c"], [connection.fileno()])
            except OSError:  # full or gone: the next
                continue
            worker.handed += 1
            return
        log.warning("no worker to hear a stream")

    def _alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.says.state == "ready"]

    def _reachable(self) -> list[Reachable]:
        return [Reachable(one.says.pid, one.control) for one in self._alive() if one.says.pid and one.control]

    # ---- processes

    async def _keep(self, worker: Worker, model: Path) -> None:
        loop = asyncio.get_running_loop()
        pauses = Pauses(PAUSES_S, HEALTHY_S)
        while True:
            began = loop.time()
            code = await self._run_once(worker, model)
            self._restarts += 1
            pause = pauses.after(loop.time() - began)
            log.error("%s %s; starting it again in %.1f s", worker.name, how_it_ended(code), pause)
            await asyncio.sleep(pause)

    async def _run_once(self, worker: Worker, model: Path) -> int:
        def started(process: Process, control: socket.socket) -> None:
            worker.process, worker.control = process, control
            worker.says = WorkerSays(pid=process.pid)
            worker.last_sign = asyncio.get_running_loop().time()

        def says(told: Mapping[str, Any]) -> None:
            worker.says = WorkerSays(worker.says.pid, "ready", **told)
            worker.last_sign = asyncio.get_running_loop().time()
            worker.handed = 0

        try:
            return await run_child(PROGRAM, [str(model)], started=started, says=says)
        finally:
            worker.process = worker.control = None
            worker.says = WorkerSays(state="stopped")

    async def _watch(self) -> None:
        """Notice who is silent, and write the status."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        while True:
            now = loop.time()
            if starved(now - before):
                for worker in self.workers:
                    worker.last_sign = max(worker.last_sign, now - SILENT_S / 2)
            before = now
            for worker in self.workers:
                self._judge(worker, now - worker.last_sign)
            says = {worker.name: worker.says for worker in self.workers}
            second = self._second.says if self._second is not None else SecondSays()
            try:
                write_status(self._status, os.getpid(), str(self._model or ""), says, self._restarts, asdict(second))
            except OSError as error:  # a full disk must not make the system deaf
                log.error("status not written: %s", error.strerror)
            await asyncio.sleep(LOOK_S)

    def _judge(self, worker: Worker, silent_s: float) -> None:
        if worker.process is None:
            return
        if worker.says.state == "starting":
            if silent_s > LOADING_S:
                log.error("%s has not loaded its model in %.0f s", worker.name, LOADING_S)
                kill(worker.process)
        elif silent_s > HANG_S:
            log.error("%s has given no sign of life for %.1f s and is killed", worker.name, silent_s)
            kill(worker.process)
        elif silent_s > SILENT_S:
            worker.says.state = "silent"


async def main(settings: Settings) -> int:
    """`ivr speech`. Without a model it serves nobody and says so, and stays: the rest of the system must not fall."""
    model, problems = search(settings)
    for problem in problems:
        log.warning("%s", problem)
    if model is None:
        log.error(NO_MODEL)
    else:
        log.info("speech model %s (%s)", model.path, model.origin)
    await Pool(settings, model.path if model else None).run()
    return 0
