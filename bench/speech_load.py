"""Streams a core: callers who talk without end, through SIP, Asterisk, AEAP and worker, against the bare library.

Both hear the same sound with the same grammar, in turn, block by block; what each process used is read from /proc, and
so is the memory of the worker, with nobody in it and with all of them talking.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import proc
from bench.speech import here
from bench.speech_channel import telephone
from bench.speech_line import ListeningPost, post
from bench.speech_material import ESPEAK_VOICES, no_audio, read, talk
from ivr.asterisk.agi_call import AgiCall
from ivr.asterisk.fastagi import AgiServer, AgiSession
from ivr.asterisk.listening import AgiListener
from ivr.prompts.alaw import encode
from ivr.settings import PROJECT_ROOT
from ivr.speech.ear import BYTES_PER_S

GRAMMAR = "listen"
WARM_S = 3.0
PAUSE_S = 0.5
"""Of silence between two sentences."""
TARGET = 0.85

_BARE = """
import sys, time
from pathlib import Path
from ivr.speech.dictation import dictates
from ivr.speech.grammar import load_grammar
from ivr.speech.models import examine_model
from ivr.speech.vosk_ear import VoskRecogniser
piece, order = 1600, sys.argv[2]
lines = [Path(name).read_bytes() for name in sys.argv[3:]]
model, grammar = Path(sys.argv[1]), load_grammar("listen")
recogniser = VoskRecogniser(model, dictates("auto", examine_model(model)))
recogniser.open(grammar).feed(lines[0][: 40 * piece])
ears = [recogniser.open(grammar) for _ in lines]
began, clock = time.process_time(), time.monotonic()
if order == "one by one":
    for ear, pcm in zip(ears, lines):
        for at in range(0, len(pcm), piece):
            ear.feed(pcm[at : at + piece])
else:
    for at in range(0, len(lines[0]), piece):
        if order == "in real time":
            time.sleep(max(0.0, clock + at / 16000 - time.monotonic()))
        for ear, pcm in zip(ears, lines):
            ear.feed(pcm[at : at + piece])
print((time.process_time() - began) / sum(len(pcm) / 16000 for pcm in lines))
"""
ORDERS = ("one by one", "in turn", "in real time")
"""The same sound of all callers, in pieces of 100 ms as the workers feed it, every second of it decoded; without
Asterisk, sockets and meanings. One caller after another is the library at its best; in turn, piece by piece, is what it
does for as many as speak at once; in real time it also waits for each piece to be spoken, as it must on a line."""


def spoken(seconds: float, first: int) -> bytes:
    """16-bit PCM of everyday talk, sentence after sentence, from the nth on."""
    said, pcm, n = here(talk(ESPEAK_VOICES)), bytearray(), first
    while said and len(pcm) < seconds * BYTES_PER_S:
        one = said[n % len(said)]
        pcm += telephone(read(one.path), one.seed) + bytes(int(PAUSE_S * BYTES_PER_S))
        n += 1
    return bytes(pcm[: round(seconds) * BYTES_PER_S])


def bare(model_dir: Path, lines: Sequence[bytes], order: str) -> float:
    """CPU seconds a second of sound, in a process of its own. `order`: "one by one" or "in turn"."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{n}.pcm" for n in range(len(lines))]
        for file, pcm in zip(files, lines, strict=True):
            file.write_bytes(pcm)
        command = [sys.executable, "-c", _BARE, str(model_dir), order, *map(str, files)]
        done = subprocess.run(command, capture_output=True, check=True, cwd=PROJECT_ROOT, text=True)
    return float(done.stdout.split()[-1])


async def listen(session: AgiSession) -> None:
    call = AgiCall(session, lambda _prompt: 0.0)
    await call.answer()
    listener = AgiListener(session, call.renew, "ordinary", lambda _prompt: 0.0)
    while await listener.hear(GRAMMAR, None) is not None:
        pass


async def run(
    model_dir: Path, *, quick: bool, streams: int = 6, blocks: int = 3, seconds: float = 30.0
) -> dict[str, Any]:
    """Interleaved blocks; the median of each side."""
    if quick:
        blocks, seconds, streams = 2, 10.0, 3
    if why := no_audio():
        return {"missing": why}
    phone: list[dict[str, float]] = []
    full: list[tuple[int, int]] = []
    library: dict[str, list[float]] = {order: [] for order in ORDERS}
    async with (
        post(streams, IVR_SPEECH_MODEL_DIR=str(model_dir), IVR_SPEECH_SLOTS=str(streams + 2)) as (system, town),
        AgiServer(system.settings.agi_port, listen),
    ):
        await _worker(system)
        empty = proc.memory_kb(system.speech_worker())
        elders = [await town.call(f"0215000{n:04}", system.settings.hotline_number) for n in range(streams)]
        for elder in elders:
            await elder.answered()
        heard = [spoken(WARM_S + seconds, 7 * n) for n in range(streams)]
        measured = [pcm[round(WARM_S) * BYTES_PER_S :] for pcm in heard]
        lines = [encode(array("h", pcm).tolist()) for pcm in heard]
        pids = {"worker": system.speech_worker(), "asterisk": system.processes["asterisk"].pid}
        pids["pool"] = system.processes["speech"].pid
        for block in range(blocks):
            print(f"\r  block {block + 1}/{blocks}: {streams} callers talk for {seconds:g} s", end="", flush=True)
            dropped_s = (await _worker(system))["dropped_s"]
            for elder, alaw in zip(elders, lines, strict=True):
                elder.say(alaw)
            await asyncio.sleep(WARM_S)
            before = {name: proc.cpu_ms(pid) for name, pid in pids.items()}
            began = time.monotonic()
            await asyncio.sleep(seconds - 1)
            took = time.monotonic() - began
            full.append(proc.memory_kb(pids["worker"]))
            used = {name: (proc.cpu_ms(pid) - before[name]) / 1000 / took / streams for name, pid in pids.items()}
            for elder in elders:
                await elder.said()
            await asyncio.sleep(1)
            counts = await _worker(system)
            phone.append(used | {"dropped_s": counts["dropped_s"] - dropped_s, "lag_p95_s": counts["lag_p95_s"]})
            print(f"\r  block {block + 1}/{blocks}: the bare library{' ' * 20}", end="", flush=True)
            for order, found in library.items():
                found.append(await asyncio.to_thread(bare, model_dir, measured, order))
        for elder in elders:
            await elder.hang_up()
    print()
    share = {name: statistics.median(one[name] for one in phone) for name in pids}
    all_of_it = statistics.median(sum(one[name] for name in pids) for one in phone)
    alone = {order: statistics.median(found) for order, found in library.items()}
    live = alone["in real time"]
    result = {
        "model": model_dir.name, "streams": streams, "blocks": blocks, "seconds": seconds,
        "cpu_a_stream": {name: round(value, 4) for name, value in share.items()},
        "bare": {order: round(value, 4) for order, value in alone.items()},
        "bare_streams_per_core": round(1 / live, 1), "line_streams_per_core": round(1 / all_of_it, 1),
        "ratio": round(live / all_of_it, 3),
        "ratio_of_each": {order: round(value / all_of_it, 3) for order, value in alone.items()},
        "memory": worker_memory(empty, full, streams),
        "dropped_s": [round(one["dropped_s"], 1) for one in phone],
        "lag_p95_s": max(one["lag_p95_s"] for one in phone),
        "blocks_seen": [{name: round(value, 4) for name, value in one.items()} for one in phone], "library": library,
    }  # fmt: skip
    print(f"  {result}", flush=True)
    return result


def worker_memory(empty: tuple[int, int], full: Sequence[tuple[int, int]], streams: int) -> dict[str, float]:
    """MB of one worker process, from (RSS, PSS) in kB: with its model and no stream, with all of them (the most that
    was seen), and what one stream adds, among it its share of what the first brings for all."""
    rss, pss = (max(one[n] for one in full) for n in (0, 1))
    return {
        "empty_rss_mb": round(empty[0] / 1024, 1), "empty_pss_mb": round(empty[1] / 1024, 1),
        "full_rss_mb": round(rss / 1024, 1), "full_pss_mb": round(pss / 1024, 1),
        "stream_mb": round((pss - empty[1]) / 1024 / streams, 2),
    }  # fmt: skip


async def _worker(system: ListeningPost) -> dict[str, float]:
    """What the only worker says of itself."""
    workers = await system.until(lambda: system.speech().get("workers"), 10, "a sign of the worker")
    counts: dict[str, float] = workers["worker-1"]["counts"]
    return counts
