"""`ivr speech` as its processes: one address, and whatever happens to a worker, the next stream is heard."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ivr.speech.models import CARRIED_MODEL
from ivr.speech.status import SpeechStatus
from tests.calls.harness import PortBlock
from tests.calls.harness.g711 import decode_alaw
from tests.calls.spoken import clip
from tests.doubles.aeap_side import SILENT_PCM, AeapSide
from tests.doubles.patience import until
from tests.doubles.scripted_second_ear import SPEECH_WITH_IT, script


@pytest.fixture
def port() -> Iterator[int]:
    with PortBlock(100) as block:
        yield block.take()


@dataclass
class Running:
    port: int
    folder: Path
    process: asyncio.subprocess.Process

    def says(self) -> dict[str, Any]:
        return {"workers": {}, "free_urgent": 0, "restarts": 0} | SpeechStatus(self.folder).read()

    def pid(self, number: int) -> int:
        return int(self.says()["workers"][f"worker-{number}"]["pid"])

    def ready(self) -> int:
        return sum(worker["state"] == "ready" for worker in self.says().get("workers", {}).values())

    def log(self) -> str:
        return (self.folder / "log").read_text()


@asynccontextmanager
async def pool(
    folder: Path, port: int, *, workers: int = 2, program: Sequence[str] = (), **options: str
) -> AsyncIterator[Running]:
    env = {"IVR_DATA_DIR": str(folder), "IVR_SPEECH_PORT": str(port), "IVR_SPEECH_WORKERS": str(workers), **options}
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(program or ["-m", "ivr.cli", "speech"]),
            stderr=log,
            env={**os.environ, **env},
            start_new_session=True,
        )
    running = Running(port, folder, process)
    try:
        await until(lambda: running.says().get("pid") == process.pid, within=20)
        if "IVR_SPEECH_MODEL_DIR" not in options:
            await until(lambda: running.ready() == workers, within=40)
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            process.terminate()
        async with asyncio.timeout(10):
            await process.wait()


async def understood(port: int, path: str = "/urgent", *, grammar: str = "accept", said: str = "accept") -> str:
    """One stream from beginning to end: what a recorded voice means."""
    async with AeapSide(port, path) as asterisk:
        answer = await asterisk.set_up()
        assert "error_msg" not in answer, answer
        await asterisk.turn(grammar)
        await asterisk.sound(SILENT_PCM, 0.4)
        pcm = decode_alaw(clip(said)).tobytes()
        for at in range(0, len(pcm), 320):
            await asterisk.ws.send_bytes(pcm[at : at + 320])
            await asyncio.sleep(0.003)  # no faster than it is decoded
        await asterisk.sound(SILENT_PCM, 1.5)
        return str((await asterisk.result(within=10))["text"])


async def test_streams_are_spread_over_the_workers(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port) as running:
        async with AeapSide(port) as one, AeapSide(port) as other:
            await one.set_up()
            await other.set_up()
            await until(lambda: [w["streams"] for w in running.says()["workers"].values()] == [1, 1])
        assert await understood(port) == "accept"


@pytest.mark.parametrize(("choice", "meant"), [("always", "distress.stroke"), ("auto", "unknown")])
async def test_where_it_dictates_a_word_is_found_inside_a_sentence(
    tmp_path: Path, port: int, choice: str, meant: str
) -> None:
    """我刚刚在阳台上摔了一大跤腰动不了: dictation finds 动不了 in it, the grammar of the carried model nothing."""
    async with pool(tmp_path, port, workers=1, IVR_SPEECH_DICTATION=choice):
        assert await understood(port) == "accept", "a short answer has its grammar"
        assert await understood(port, grammar="listen", said="balcony") == meant


async def test_a_killed_worker_swallows_no_call_and_comes_back(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port) as running:
        before = running.pid(1)
        async with AeapSide(port) as stream:
            await stream.set_up()
            os.kill(before, signal.SIGKILL)
            for _ in range(4):  # at once, before anybody has noticed
                assert await understood(port) == "accept"
        await until(lambda: running.ready() == 2, within=30)
        assert running.pid(1) != before


async def test_a_stopped_worker_is_given_nothing_and_replaced(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port) as running:
        before = running.pid(2)
        os.kill(before, signal.SIGSTOP)
        await until(lambda: running.ready() == 1)
        assert running.says()["free_urgent"] == 8
        for _ in range(3):
            assert await understood(port) == "accept"
        await until(lambda: running.ready() == 2, within=30)
        assert running.pid(2) != before


async def test_a_connection_of_a_stopped_worker_is_closed_soon(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port, workers=1) as running, AeapSide(port) as stream:
        await stream.set_up()
        os.kill(running.pid(1), signal.SIGSTOP)
        assert await stream.closed(within=4), "Asterisk's thread may wait for this"


async def test_without_a_model_it_stays_and_says_so(tmp_path: Path, port: int) -> None:
    nothing_carried = (
        "import sys, pathlib, ivr.cli, ivr.speech.models as m; m.CARRIED_MODEL = pathlib.Path('/no/model');"
        "sys.exit(ivr.cli.main(['speech']))"
    )
    async with pool(tmp_path, port, program=["-c", nothing_carried], IVR_SPEECH_MODEL_DIR=str(tmp_path)) as running:
        assert running.says()["free_urgent"] == 0
        assert "keys and people" in running.log()
        with pytest.raises(aiohttp.ClientError):
            await understood(port)
        assert running.process.returncode is None


async def test_a_broken_model_is_tried_again_and_takes_nothing_else_down(tmp_path: Path, port: int) -> None:
    model = tmp_path / "model"
    shutil.copytree(CARRIED_MODEL, model)
    (model / "am" / "final.mdl").write_bytes(b"no model")
    async with pool(tmp_path, port, workers=1, IVR_SPEECH_MODEL_DIR=str(model)) as running:
        await until(lambda: running.says()["restarts"] >= 2, within=20)
        assert running.ready() == 0
        assert running.process.returncode is None


async def test_nothing_of_it_outlives_it(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port) as running:
        workers = [running.pid(1), running.pid(2)]
        running.process.kill()
        await running.process.wait()
        await until(lambda: not any(_lives(pid) for pid in workers))


# ---- the second ear


def with_second_ear(folder: Path, slow_s: float = 0) -> dict[str, Any]:
    """A scripted one in a process of its own, started as Whisper's is."""
    script(folder, "我从床上掉下来了起不来", slow_s)
    return {"program": SPEECH_WITH_IT, "IVR_SPEECH_SECOND_EAR": "true"}


def second(running: Running) -> dict[str, Any]:
    return dict(running.says().get("second_ear", {}))


async def listened(port: int, within: float = 10) -> str:
    """One sentence of noise that Vosk knows nothing of, on a line that goes on."""
    async with AeapSide(port, "/ordinary") as asterisk:
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        await asterisk.sound(SILENT_PCM, 0.4)
        await asterisk.speech(2)
        asterisk.pace = 1
        going = asyncio.create_task(asterisk.sound(SILENT_PCM, 1.5))
        try:
            async with asyncio.timeout(within):
                result = asyncio.create_task(asterisk.result(within))
                while not result.done():
                    await asterisk.ws.send_bytes(SILENT_PCM)
                    await asyncio.sleep(0.02)
                return str((await result)["text"])
        finally:
            going.cancel()


async def test_one_second_ear_serves_every_worker_and_whoever_is_killed_comes_back(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port, **with_second_ear(tmp_path)) as running:
        await until(lambda: second(running).get("state") == "ready", within=20)
        first = int(second(running)["pid"])
        assert os.getpriority(os.PRIO_PROCESS, first) >= 10, "after everybody else"
        assert [(await listened(port)).partition(".")[0] for _ in range(2)] == ["distress"] * 2
        await until(lambda: sum(w["counts"]["second_sent"] for w in running.says()["workers"].values()) == 2)
        os.kill(first, signal.SIGKILL)
        assert await understood(port) == "accept", "the recogniser is as it was"
        await until(lambda: second(running).get("state") == "ready" and second(running)["pid"] != first, within=20)
        os.kill(running.pid(1), signal.SIGKILL)
        await until(lambda: running.ready() == 2, within=30)
        await asyncio.sleep(0.6)  # its line is made at the next look
        for _ in range(2):
            assert (await listened(port)).startswith("distress.")
        assert second(running)["restarts"] == 1
        assert "床上" not in running.log()


async def test_a_stopped_second_ear_holds_nobody_up_and_is_replaced(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port, workers=1, **with_second_ear(tmp_path)) as running:
        await until(lambda: second(running).get("state") == "ready", within=20)
        stopped = int(second(running)["pid"])
        os.kill(stopped, signal.SIGSTOP)
        for _ in range(2):
            assert await understood(port) == "accept"
        with pytest.raises(TimeoutError):
            await listened(port, within=1.5)
        await until(lambda: second(running).get("state") == "away")
        await until(lambda: second(running).get("state") == "ready" and second(running)["pid"] != stopped, within=20)
        assert not _lives(stopped)
        await asyncio.sleep(0.6)
        assert (await listened(port)).startswith("distress.")


async def test_a_second_ear_that_is_asked_for_and_missing_is_said_once_and_calls_go_on(
    tmp_path: Path, port: int
) -> None:
    missing = (
        "import sys, ivr.cli, ivr.speech.second_keeper as k; k.ENGINE = 'no_such_engine';"
        "sys.exit(ivr.cli.main(['speech']))"
    )
    async with pool(tmp_path, port, workers=1, program=["-c", missing], IVR_SPEECH_SECOND_EAR="true") as running:
        assert await understood(port) == "accept"
        assert second(running)["state"] == "away"
        assert running.log().count("asked for and missing") == 1


async def test_nothing_of_the_second_ear_outlives_the_pool(tmp_path: Path, port: int) -> None:
    async with pool(tmp_path, port, workers=1, **with_second_ear(tmp_path, slow_s=30)) as running:
        await until(lambda: second(running).get("state") == "ready", within=20)
        pid = int(second(running)["pid"])
        with pytest.raises(TimeoutError):
            await listened(port, within=2.5)  # it is at work
        running.process.kill()
        await running.process.wait()
        await until(lambda: not _lives(pid))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False
