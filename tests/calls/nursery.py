"""Parts of the system forked from a process that has imported them already.

Three parts a test cost 2.5 CPU-seconds of imports, half of what the call tests cost on two cores. What runs is the same
command (`ivr engine` …) in a process of its own: killed, stopped and ended like any other. `test_demo` starts
everything as it is shipped.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("ivr.cli.part", "ivr.engine", "agent_console.main", "ivr.speech.pool")


class Child:
    """As much of `asyncio.subprocess.Process` as `System` needs."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid

    @property
    def returncode(self) -> int | None:
        return self._nursery.ended.get(self.pid)

    async def wait(self) -> int:
        while True:  # told by a thread, to whichever loop runs then
            if (status := self.returncode) is not None:
                return status
            await asyncio.sleep(0.02)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class Nursery:
    """One for each test process; its own process is started with the first child."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        """`env`: added for the nursery itself; what a library reads when it is loaded must be there before the fork."""
        self._env = dict(env or {})
        self.ended: dict[int, int] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._born = threading.Condition()
        self._pids: list[int] = []
        self._one_at_a_time = threading.Lock()

    async def start(self, part: str, env: Mapping[str, str], log: Path) -> Child:
        return await asyncio.to_thread(self._start, part, env, log)

    def _start(self, part: str, env: Mapping[str, str], log: Path) -> Child:
        with self._one_at_a_time, self._born:  # while it waits for the answer, the condition's own lock is free
            if self._process is None:
                self._open()
            assert self._process is not None
            assert self._process.stdin is not None
            wanted = {"part": part, "env": dict(env), "log": str(log)}
            self._process.stdin.write(json.dumps(wanted).encode() + b"\n")
            self._process.stdin.flush()
            if not self._born.wait_for(lambda: bool(self._pids), 30):
                raise RuntimeError("the nursery does not answer")
            return Child(self, self._pids.pop())

    def _open(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.calls.nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, **self._env},
        )  # fmt: skip
        atexit.register(self._process.kill)
        threading.Thread(target=self._listen, daemon=True, name="nursery").start()

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._born:
                if "born" in told:
                    self.ended.pop(told["born"], None)
                    self._pids.append(told["born"])
                else:
                    self.ended[told["ended"]] = told["status"]
                self._born.notify_all()


def _say(**told: int) -> None:
    os.write(1, json.dumps(told).encode() + b"\n")


def _become(part: str, env: Mapping[str, str], log: str) -> None:
    """In the child: never returns."""
    status = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ.update(env)
        sys.argv = ["ivr", part]
        from ivr.cli import main

        status = main([part])
        sys.stdout.flush()
        sys.stderr.flush()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


def serve() -> None:
    """`python -m tests.calls.nursery`: one line in, one child out; ends with its standard input."""
    from importlib import import_module

    for room in ROOMS:
        import_module(room)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    pending = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            while True:
                try:
                    pid, status = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    break
                if pid == 0:
                    break
                _say(ended=pid, status=os.waitstatus_to_exitcode(status))
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                wanted = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.setpgid(0, 0)
                    os.close(woken)
                    os.close(wake)
                    _become(wanted["part"], wanted["env"], wanted["log"])
                os.setpgid(pid, pid)
                _say(born=pid)


if __name__ == "__main__":
    serve()
