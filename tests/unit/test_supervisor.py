"""The supervisor with small real children: order, restart, hang, stop, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ivr.errors import StartError
from ivr.supervisor.spec import PartSpec
from ivr.supervisor.supervisor import Supervisor

PROJECT = Path(__file__).resolve().parents[2]


def child(name: str, code: str, **more: Any) -> PartSpec:
    return PartSpec(name, [sys.executable, "-c", code], stop_timeout_s=2.0, ready_timeout_s=20.0, **more)


def note(tmp_path: Path, word: str) -> str:
    return f"open({str(tmp_path / 'notes')!r}, 'a').write({word + ' '!r})"


def sleeper(tmp_path: Path, name: str) -> PartSpec:
    """Notes its start and its SIGTERM."""
    code = (
        f"import signal, sys, time\n{note(tmp_path, name + '+')}\n"
        f"def end(*_):\n    {note(tmp_path, name + '-')}\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\ntime.sleep(100)"
    )
    return child(name, code, ready=lambda: until(lambda: name + "+" in notes(tmp_path)))


def beater(tmp_path: Path, after: str) -> PartSpec:
    code = (
        "import asyncio, os, sys, time\nfrom ivr.heartbeat import beat, heartbeat_address\nfrom pathlib import Path\n"
        f"address = heartbeat_address(Path({str(tmp_path)!r}))\n"
        "async def main():\n    task = asyncio.create_task(beat(address, 'beater', 0.1))\n"
        "    await asyncio.sleep(0.5)\n"
        f"    {after}\n    await task\nasyncio.run(main())"
    )
    return child("beater", code, heartbeat=True, env={"PYTHONPATH": str(PROJECT)})


def notes(tmp_path: Path) -> str:
    try:
        return (tmp_path / "notes").read_text()
    except FileNotFoundError:
        return ""


def board(tmp_path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((tmp_path / "run" / "parts.json").read_text()))
    except FileNotFoundError:
        return {}


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  # asks the outside world: files and processes
            await asyncio.sleep(0.02)


class Run:
    """A supervisor running beside the test."""

    def __init__(self, tmp_path: Path, specs: list[PartSpec], **options: Any) -> None:
        self.said: list[str] = []
        self.up = asyncio.Event()
        self.supervisor = Supervisor(specs, tmp_path, lambda zh, en: self.said.append(f"{zh} · {en}"), **options)
        self.task = asyncio.create_task(self.supervisor.run(self.up.set))

    async def stop(self) -> None:
        self.supervisor.request_stop()
        async with asyncio.timeout(15):
            await self.task


async def test_parts_start_in_order_and_stop_in_reverse_order(tmp_path: Path) -> None:
    run = Run(tmp_path, [sleeper(tmp_path, name) for name in ("a", "b", "c")])
    await run.up.wait()
    pids = [entry["pid"] for entry in board(tmp_path).values()]
    assert [entry["state"] for entry in board(tmp_path).values()] == ["ready"] * 3
    await run.stop()
    assert notes(tmp_path).split() == ["a+", "b+", "c+", "c-", "b-", "a-"]
    assert not any(alive(pid) for pid in pids)
    assert {entry["state"] for entry in board(tmp_path).values()} == {"stopped"}
    assert any("a is ready after" in line for line in run.said)


async def test_a_part_that_need_not_wait_starts_beside_the_one_before(tmp_path: Path) -> None:
    late = child("late", "import time; time.sleep(100)", ready=lambda: until(lambda: "b+" in notes(tmp_path)))
    run = Run(tmp_path, [late, replace(sleeper(tmp_path, "b"), waits=False), sleeper(tmp_path, "c")])
    async with asyncio.timeout(20):
        await run.up.wait()
    await run.stop()
    assert notes(tmp_path).split() == ["b+", "c+", "c-", "b-"]


async def test_a_part_that_dies_is_started_again(tmp_path: Path) -> None:
    run = Run(tmp_path, [sleeper(tmp_path, "a")])
    await run.up.wait()
    first = board(tmp_path)["a"]["pid"]
    started = time.monotonic()
    os.kill(first, signal.SIGKILL)
    await until(lambda: board(tmp_path)["a"]["restarts"] == 1 and board(tmp_path)["a"]["state"] == "ready")
    assert time.monotonic() - started < 5
    assert board(tmp_path)["a"]["pid"] != first
    assert sum("starting it again" in line for line in run.said) == 1
    await run.stop()


async def test_a_part_that_keeps_dying_is_given_pauses(tmp_path: Path) -> None:
    flaky = child("flaky", f"import os, time\n{note(tmp_path, 'x')}\ntime.sleep(0.3)")
    run = Run(tmp_path, [flaky])
    await until(lambda: sum("starting it again" in line for line in run.said) >= 3)
    pauses = [line.split("starting it again in ")[1].split(" s")[0] for line in run.said if "again in" in line]
    assert pauses[:3] == ["0.0", "0.2", "0.4"]
    await run.stop()


async def test_restarting_can_be_switched_off(tmp_path: Path) -> None:
    run = Run(tmp_path, [sleeper(tmp_path, "a")], restart=False)
    await run.up.wait()
    os.kill(board(tmp_path)["a"]["pid"], signal.SIGKILL)
    await until(lambda: board(tmp_path)["a"]["state"] == "dead")
    await asyncio.sleep(0.5)
    assert notes(tmp_path).split() == ["a+"]
    await run.stop()


async def test_a_part_whose_loop_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    run = Run(tmp_path, [beater(tmp_path, "time.sleep(100)")], hang_s=1.0)
    await run.up.wait()
    first = board(tmp_path)["beater"]["pid"]
    await until(lambda: board(tmp_path)["beater"]["restarts"] >= 1)
    assert not alive(first)
    assert any("gave no sign of life" in line for line in run.said)
    await run.stop()


async def test_a_stopped_process_is_killed_and_started_again(tmp_path: Path) -> None:
    run = Run(tmp_path, [beater(tmp_path, "pass")], hang_s=1.0)
    await run.up.wait()
    os.kill(board(tmp_path)["beater"]["pid"], signal.SIGSTOP)
    await until(lambda: board(tmp_path)["beater"]["restarts"] == 1 and board(tmp_path)["beater"]["state"] == "ready")
    await run.stop()


async def test_what_a_part_started_itself_is_gone_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "deaf = 'import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(100)'\n"
        "p = subprocess.Popen([sys.executable, '-c', deaf])\ntime.sleep(0.5)\n"
        f"open({str(tmp_path / 'grandchild')!r}, 'w').write(str(p.pid))\ntime.sleep(100)"
    )
    run = Run(tmp_path, [child("a", code, ready=lambda: until(lambda: (tmp_path / "grandchild").exists()))])
    await run.up.wait()
    await until(lambda: (tmp_path / "grandchild").read_text())
    await run.stop()
    await until(lambda: not alive(int((tmp_path / "grandchild").read_text())), 3)


async def test_a_part_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = (
        f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{note(tmp_path, 'up')}\ntime.sleep(100)"
    )
    run = Run(tmp_path, [child("deaf", code, ready=lambda: until(lambda: notes(tmp_path)))])
    await run.up.wait()
    pid = board(tmp_path)["deaf"]["pid"]
    started = time.monotonic()
    await run.stop()
    assert 1.5 < time.monotonic() - started < 5
    assert not alive(pid)


async def test_the_second_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    code = (
        f"import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n{note(tmp_path, 'up')}\ntime.sleep(100)"
    )
    run = Run(tmp_path, [child("deaf", code, ready=lambda: until(lambda: notes(tmp_path)))])
    await run.up.wait()
    started = time.monotonic()
    run.supervisor.request_stop()
    await asyncio.sleep(0.1)
    await run.stop()
    assert time.monotonic() - started < 1.5


async def test_the_polite_command_is_asked_first(tmp_path: Path) -> None:
    polite = [sys.executable, "-c", f"import os, signal\n{note(tmp_path, 'asked')}"]
    run = Run(tmp_path, [sleeper(tmp_path, "a"), child("p", "import time; time.sleep(100)", stop_command=polite)])
    await run.up.wait()
    await run.stop()
    assert notes(tmp_path).split() == ["a+", "asked", "a-"]


async def test_a_part_that_cannot_start_ends_everything_with_its_last_words(tmp_path: Path) -> None:
    run = Run(tmp_path, [sleeper(tmp_path, "a"), child("b", "raise SystemExit('no such thing')", ready=forever)])
    with pytest.raises(StartError, match="no such thing"):
        async with asyncio.timeout(15):
            await run.task
    assert notes(tmp_path).split() == ["a+", "a-"]
    assert not run.up.is_set()


async def test_a_program_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    run = Run(tmp_path, [PartSpec("ghost", ["/no/such/program"])])
    with pytest.raises(StartError, match="/no/such/program"):
        await run.task


async def test_stopping_while_starting_leaves_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, [sleeper(tmp_path, "a"), child("slow", "import time; time.sleep(100)", ready=forever)])
    await until(lambda: board(tmp_path).get("slow", {}).get("state") == "starting")
    pids = [entry["pid"] for entry in board(tmp_path).values()]
    await run.stop()
    assert not any(alive(pid) for pid in pids)


async def forever() -> None:
    await asyncio.Event().wait()


def test_kill_9_of_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from ivr.supervisor.spec import PartSpec\nfrom ivr.supervisor.supervisor import Supervisor\n"
        "specs = [PartSpec(n, [sys.executable, '-c', 'import time; time.sleep(100)']) for n in 'ab']\n"
        f"s = Supervisor(specs, Path({str(tmp_path)!r}), lambda zh, en: None)\n"
        "asyncio.run(s.run(lambda: print('up', flush=True)))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"up\n"
        pids = [entry["pid"] for entry in board(tmp_path).values()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        supervisor.kill()
    for _ in range(100):
        if not any(alive(pid) for pid in pids):
            return
        time.sleep(0.05)
    pytest.fail("a child outlived its supervisor")


async def test_a_long_data_dir_still_has_a_heartbeat(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    run = Run(deep, [beater(deep, "pass")])
    async with asyncio.timeout(20):
        await run.up.wait()
    await run.stop()
