"""What a newcomer does: `ivr run --demo`, `ivr demo press`, `ivr demo call`, Ctrl-C. Judged by what each side heard."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ivr.settings import Settings
from ivr.supervisor.preflight import check_ports
from tests.calls.harness import Match, PortBlock, find_prompt
from tests.calls.harness.g711 import Pcm

UP_S = 60.0
CALL_S = 90.0


@dataclass
class Demo:
    """`ivr run --demo` as a process, from outside."""

    folder: Path
    env: dict[str, str]
    process: asyncio.subprocess.Process
    up_after_s: float = 0.0

    @property
    def settings(self) -> Settings:
        values: dict[str, Any] = {name.removeprefix("IVR_").lower(): value for name, value in self.env.items()}
        return Settings(**values)

    async def ivr(self, *words: str) -> tuple[int, str]:
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ivr.cli", *words,
            env={**os.environ, **self.env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(CALL_S):
            out, _ = await asking.communicate()
        assert asking.returncode is not None
        return asking.returncode, out.decode()

    def heard(self, side: str) -> Pcm:
        """What this side heard in the newest call."""
        newest = max((self.folder / "heard").iterdir())
        with wave.open(str(newest / f"{side}.wav")) as sound:
            assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
            return np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.int16)

    def in_ear(self, side: str, prompt: str) -> Match:
        """Compared with the audio that this instance installed."""
        place = "town" if prompt.startswith("demo/") else "asterisk"
        raw = (self.folder / place / "data" / "sounds" / "zh_CN" / f"{prompt}.alaw").read_bytes()
        ear = self.heard(side)
        # From its beginning, or from later on: on a busy machine a recording may slip by a packet.
        tries = [find_prompt(ear, raw[start:]) for start in (0, 8000, 16000) if len(raw) - start >= 8000]
        return max(tries, key=lambda match: match.score)

    def logs(self) -> str:
        return "\n".join(
            f"--- {log}\n{log.read_text(errors='replace')[-3000:]}" for log in self.folder.glob("log/*.log")
        )


@asynccontextmanager
async def demo_system(folder: Path, ports: PortBlock) -> AsyncIterator[Demo]:
    names = "HTTP SIP AMI AGI ASTERISK_HTTP SPEECH TRUNK DEMO_SIP"
    rtp, demo_rtp = ports.take_range(100), ports.take_range(100)
    env = {
        "IVR_DATA_DIR": str(folder),
        **{f"IVR_{name}_PORT": str(ports.take()) for name in names.split()},
        "IVR_RTP_START": str(rtp.start),
        "IVR_RTP_END": str(rtp.stop - 1),
        "IVR_DEMO_RTP_START": str(demo_rtp.start),
        "IVR_DEMO_RTP_END": str(demo_rtp.stop - 1),
    }
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr.cli", "run", "--demo",
        env={**os.environ, **env}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    demo = Demo(folder, env, process)
    assert process.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(UP_S):
            while "Ctrl-C" not in (said[-1] if said else ""):
                line = await process.stdout.readline()
                assert line, "".join(said)
                said.append(line.decode())
        demo.up_after_s = time.monotonic() - began
        yield demo
    except BaseException as error:
        error.add_note("".join(said) + demo.logs())
        raise
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(20):
                    await process.communicate()
            except TimeoutError:
                process.kill()
                await process.wait()


def processes_of(folder: Path) -> list[str]:
    """Command lines of whatever was started with this data_dir."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if f"IVR_DATA_DIR={folder}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_newcomer_sees_and_hears_the_whole_path(tmp_path: Path, ports: PortBlock) -> None:
    folder = tmp_path / "y"
    async with demo_system(folder, ports) as demo:
        status, said = await demo.ivr("demo", "press")
        assert status == 0, said
        assert demo.in_ear("elder", "emergency/help_is_coming").found
        assert demo.in_ear("elder", "demo/agent_emergency").found
        assert demo.in_ear("elder", "emergency/help_is_coming").at_s < demo.in_ear("elder", "demo/agent_emergency").at_s
        assert demo.in_ear("agent-1001", "agent/emergency").found
        assert demo.in_ear("agent-1001", "demo/elder_press").found
        assert demo.in_ear("agent-1001", "demo/daughter").found
        assert demo.in_ear("daughter", "family/alarm").found
        # r() is what the phone heard: nobody hears himself.
        assert not demo.in_ear("elder", "demo/elder_press").found
        assert not demo.in_ear("daughter", "demo/daughter").found
        for told in (
            "incident on record",
            "agent 1001 rings",
            "family 13900000002 ended: busy",
            "in the room",
            "elder.wav",
        ):
            assert told in said, said

        status, said = await demo.ivr("demo", "call")
        assert status == 0, said
        assert demo.in_ear("elder", "hotline/greeting").found
        assert demo.in_ear("elder", "demo/agent_hello").found
        assert demo.in_ear("agent-1001", "demo/elder_call").found

        assert len(processes_of(folder)) >= 5
        demo.process.send_signal(signal.SIGINT)
        out, _ = await asyncio.wait_for(demo.process.communicate(), 20)
        assert demo.process.returncode == 0, out
        assert processes_of(folder) == []
        check_ports(demo.settings, demo=True)  # all of them are free again
        print(f"ready after {demo.up_after_s:.1f} s\n{said}")


async def test_a_demo_call_without_a_running_system_is_one_sentence(tmp_path: Path) -> None:
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ivr.cli", "demo", "press",
        env={**os.environ, "IVR_DATA_DIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asking.communicate()
    assert asking.returncode == 1
    assert "ivr run --demo" in said.decode()
    assert "Traceback" not in said.decode()
