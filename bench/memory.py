"""Memory of the idle system as `ivr run` starts it, and what each caller adds who waits in the queue with music.

PSS: pages that several processes map are divided among them, so that the parts may be added up.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp

from bench import proc
from bench.agents import seats
from bench.load import Silence
from bench.numbers import slope
from bench.place import Place, place
from tests.calls.harness import PortBlock

TARGET_MB = 400
PER_S = 10
PORT_NAMES = ("HTTP", "SIP", "AMI", "AGI", "SPEECH", "ASTERISK_HTTP", "TRUNK")


async def run(*, quick: bool) -> dict[str, Any]:
    idle = await _idle(5 if quick else 30)
    levels = (10, 20) if quick else (50, 100, 200)
    return {"idle": idle, "waiting": await _waiting(levels, 3 if quick else 8)}


# ---- idle


async def _idle(settle_s: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="yinling-bench-") as folder, PortBlock(300) as ports:
        rtp = ports.take_range(200)
        env = {f"IVR_{name}_PORT": str(ports.take()) for name in PORT_NAMES}
        env |= {"IVR_DATA_DIR": folder, "IVR_RTP_START": str(rtp.start), "IVR_RTP_END": str(rtp.stop - 1)}
        with (Path(folder) / "run.log").open("wb") as log:
            system = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ivr.cli", "run", stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **env}, start_new_session=True,
            )  # fmt: skip
        try:
            began = time.monotonic()
            await _healthy(f"http://127.0.0.1:{env['IVR_HTTP_PORT']}/api/v1/health", system)
            started_s = time.monotonic() - began
            await asyncio.sleep(settle_s)
            parts: dict[str, dict[str, float]] = defaultdict(lambda: {"rss_mb": 0.0, "pss_mb": 0.0})
            for pid in proc.family(system.pid):
                rss, pss = proc.memory_kb(pid)
                parts[proc.name(pid)]["rss_mb"] += rss / 1024
                parts[proc.name(pid)]["pss_mb"] += pss / 1024
        finally:
            with contextlib.suppress(ProcessLookupError):
                system.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(system.wait(), 20)
            except TimeoutError:
                os.killpg(system.pid, signal.SIGKILL)
        total = {key: sum(part[key] for part in parts.values()) for key in ("rss_mb", "pss_mb")}
        print(f"  idle: {total['pss_mb']:.0f} MB PSS, ready {started_s:.1f} s after the start", flush=True)
        return {**total, "parts": dict(parts), "target_mb": TARGET_MB, "settled_s": settle_s, "started_s": started_s}


async def _healthy(url: str, system: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + 90
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline and system.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(url) as reply:
                    if reply.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise RuntimeError("ivr run did not become healthy")


# ---- waiting callers


async def _waiting(levels: tuple[int, ...], settle_s: float) -> dict[str, Any]:
    async with place(250, rtp_ports=1000, IVR_QUEUE_TIMEOUT_S="170") as at:
        rung = await seats(at, 1, "rings")  # somebody sits there, else nobody may wait
        points = []
        try:
            with Silence() as rtp_port:
                await _wait(at, rtp_port, 5, settle_s)  # what only the first calls cost
                for callers in (0, *levels):
                    point = await _wait(at, rtp_port, callers, settle_s)
                    points.append(point)
                    print(f"  {point['waiting']:4} waiting: {point['pss_kb'] / 1024:.1f} MB PSS", flush=True)
        finally:
            for seat in rung:
                await seat.close()
    per_call = {
        part: slope([(point["waiting"], point[part]) for point in points])
        for part in ("pss_kb", "asterisk_kb", "engine_kb", "console_kb")
    }
    return {"points": points, "kb_per_call": per_call}


async def _wait(at: Place, rtp_port: int, callers: int, settle_s: float) -> dict[str, Any]:
    """So many callers wait, their memory is taken, they hang up, and nothing of them is left."""
    calling_s = callers / PER_S
    load = at.load("wait", f"wait-{callers}", port=at.system.settings.trunk_port)
    if callers:
        await load.start(
            "-s", "12349", "-inf", str(at.callers_file()), "-key", "rtp_port", str(rtp_port),
            "-r", str(PER_S), "-m", str(callers), "-l", "1000",
            to=("127.0.0.1", at.system.settings.sip_port),
            times_ms={"hold_ms": int((calling_s + settle_s + 10) * 1000)},
        )  # fmt: skip
    await asyncio.sleep(calling_s + settle_s)
    said = await at.system.cli("queue show hotline") or ""
    found = re.search(r"has (\d+) calls", said)
    kb = {f"{part}_kb": proc.memory_kb(at.pid(part))[1] for part in ("asterisk", "engine", "console")}
    if callers:
        await load.finished(calling_s + 60)
        left = await at.system.left_behind()
        if left:
            print(f"  left behind: {left}", flush=True)
    return {"waiting": int(found[1]) if found else 0, "pss_kb": sum(kb.values()), **kb}
