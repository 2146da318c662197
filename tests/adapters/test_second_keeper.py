"""The second ear's process as the pool keeps it, without any recogniser: started, connected, killed, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ivr.settings import Settings
from ivr.speech import second_keeper
from ivr.speech.second_keeper import LINE, Reachable, SecondKeeper
from ivr.speech.second_line import SecondLine
from tests.doubles.patience import until

PCM = bytes(16_000)


class Worker:
    """A worker's end: takes the lines that it is given."""

    def __init__(self, pid: int = 1000) -> None:
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self.reachable = Reachable(pid, theirs)
        self.line = SecondLine()
        self.lines = 0
        self.told: list[str] = []
        self.line.enter(1, lambda _number, meaning, _score: self.told.append(meaning))
        self._task = asyncio.create_task(self._take())

    async def _take(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            with contextlib.suppress(BlockingIOError):
                said, (handed,), _, _ = socket.recv_fds(self.ours, 64, 1)
                assert said == LINE
                await self.line.attach(socket.socket(fileno=handed))
                self.lines += 1

    async def close(self) -> None:
        self._task.cancel()
        await self.line.close()
        self.ours.close()
        self.reachable.control.close()


@asynccontextmanager
async def kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *workers: Worker, program: str = "tests.doubles.scripted_second_ear"
) -> AsyncIterator[SecondKeeper]:
    monkeypatch.setattr(second_keeper, "PROGRAM", ("-m", program))
    monkeypatch.setattr(second_keeper, "PAUSES_S", (0.1,))
    monkeypatch.setattr(second_keeper, "SILENT_S", 1.2)
    monkeypatch.setattr(second_keeper, "HANG_S", 2.5)
    settings = Settings(data_dir=folder)
    scripts = second_keeper.weights_folder(settings)
    scripts.mkdir(parents=True)
    (scripts / "says").write_text("我从床上掉下来了起不来")
    keeper = SecondKeeper(settings, lambda: [worker.reachable for worker in workers])
    running = asyncio.create_task(keeper.run())
    try:
        yield keeper
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        for worker in workers:
            await worker.close()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_keeper, "missing", lambda _folder: "")


@pytest.mark.usefixtures("installed")
async def test_one_process_for_all_workers_and_a_new_one_when_it_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Worker(1000), Worker(1001)
    async with kept(tmp_path, monkeypatch, one, other) as keeper:
        assert keeper.says.state in ("away", "loading")
        await until(lambda: one.lines == other.lines == 1, within=20)
        pid = keeper.says.pid
        assert pid is not None
        assert os.getpriority(os.PRIO_PROCESS, pid) >= 10, "after everybody else"
        for worker in (one, other):
            worker.line.send(1, 1, PCM)
            await until(lambda worker=worker: worker.told)
            assert worker.told[0].startswith("distress.")
        await until(lambda: keeper.says.counts.get("heard") == 2)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: one.lines == other.lines == 2, within=20)
        assert (keeper.says.state, keeper.says.restarts, keeper.says.pid != pid) == ("ready", 1, True)
        one.line.send(1, 2, PCM)
        await until(lambda: len(one.told) == 2)
        last = keeper.says.pid
    assert last is not None
    await until(lambda: not Path(f"/proc/{last}").exists())


@pytest.mark.usefixtures("installed")
async def test_one_that_is_stopped_is_away_then_killed_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    async with kept(tmp_path, monkeypatch, worker) as keeper:
        await until(lambda: worker.lines == 1, within=20)
        pid = keeper.says.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        worker.line.send(1, 1, PCM)
        await until(lambda: keeper.says.state == "away")
        await until(lambda: worker.lines == 2, within=20)
        assert worker.line.counts.second_lost == 1, "what it had taken"
        worker.line.send(1, 2, PCM)
        await until(lambda: worker.told)


@pytest.mark.usefixtures("installed")
async def test_a_worker_that_starts_later_gets_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = [Worker(1000)]
    async with kept(tmp_path, monkeypatch, *workers) as keeper:
        await until(lambda: workers[0].lines == 1, within=20)
        late = Worker(1001)
        monkeypatch.setattr(keeper, "_workers", lambda: [workers[0].reachable, late.reachable])
        await until(lambda: late.lines == 1)
        assert workers[0].lines == 1
        await late.close()


@pytest.mark.usefixtures("installed")
async def test_one_that_cannot_be_loaded_is_given_up_where_starting_again_is_of_no_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The real program, whose packages are not there."""
    program = tmp_path / "no_weights.py"
    program.write_text(
        "import sys, ivr.speech.second_ear as e, ivr.speech.second_process as p\n"
        "e.PACKAGES = ('no_such_package_1', 'no_such_package_2')\nsys.exit(p.main(sys.argv[1:]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    async with kept(tmp_path, monkeypatch, program="no_weights") as keeper:
        await until(lambda: keeper.says.restarts == 1, within=20)
        await asyncio.sleep(0.5)
        assert (keeper.says.state, keeper.says.restarts) == ("away", 1)
    assert "cannot start" in caplog.text


async def test_one_that_is_missing_is_said_once_and_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(second_keeper, "ENGINE", "no_such_engine")
    async with kept(tmp_path, monkeypatch) as keeper:
        await until(lambda: "asked for and missing" in caplog.text)
        assert (keeper.says.state, keeper.says.pid) == ("away", None)
    assert [record.levelno for record in caplog.records if "second ear" in record.message] == [logging.WARNING]
