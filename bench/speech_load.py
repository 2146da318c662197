"""Streams a core: callers who talk without end, through SIP, Asterisk, AEAP and worker, against the bare library.

Both hear the same sound with the same grammar, in turn, block by block; what each process used is read from /proc.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path
from typing import Any

from bench import proc
from bench.speech import here
from bench.speech_channel import telephone
from bench.speech_line import post
from bench.speech_material import ESPEAK_VOICES, read, talk
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
from ivr.speech.grammar import load_grammar
from ivr.speech.vosk_ear import VoskRecogniser
piece = 1600
pcm = Path(sys.argv[2]).read_bytes()
ear = VoskRecogniser(Path(sys.argv[1])).open(load_grammar("listen"))
ear.feed(pcm[:piece])
began = time.process_time()
for at in range(piece, len(pcm), piece):
    ear.feed(pcm[at : at + piece])
ear.finish()
print((time.process_time() - began) / ((len(pcm) - piece) / 16000))
"""
"""As the workers feed it, in pieces of 100 ms; without Asterisk, sockets, pauses and meanings."""


def spoken(seconds: float, first: int) -> bytes:
    """16-bit PCM of everyday talk, sentence after sentence, from the nth on."""
    said, pcm, n = here(talk(ESPEAK_VOICES)), bytearray(), first
    while said and len(pcm) < seconds * BYTES_PER_S:
        one = said[n % len(said)]
        pcm += telephone(read(one.path), one.seed) + bytes(int(PAUSE_S * BYTES_PER_S))
        n += 1
    return bytes(pcm[: round(seconds) * BYTES_PER_S])


def bare(model_dir: Path, pcm: bytes) -> float:
    """CPU seconds a second of sound, in a process of its own."""
    with tempfile.NamedTemporaryFile(suffix=".pcm") as file:
        file.write(pcm)
        file.flush()
        command = [sys.executable, "-c", _BARE, str(model_dir), file.name]
        done = subprocess.run(command, capture_output=True, check=True, cwd=PROJECT_ROOT, text=True)
    return float(done.stdout.split()[-1])


async def listen(session: AgiSession) -> None:
    call = AgiCall(session, lambda _prompt: 0.0)
    await call.answer()
    listener = AgiListener(session, call.renew, "ordinary", lambda _prompt: 0.0)
    while await listener.hear(GRAMMAR, None) is not None:
        pass


async def run(
    model_dir: Path, *, quick: bool, streams: int = 6, blocks: int = 5, seconds: float = 30.0
) -> dict[str, Any]:
    """Interleaved blocks; the median of each side."""
    if quick:
        blocks, seconds, streams = 2, 10.0, 3
    if not here(talk(ESPEAK_VOICES)):
        print("  没有测试语音 no audio to measure with: python -m bench.speech_material", flush=True)
        return {"missing": "audio"}
    phone: list[dict[str, float]] = []
    library: list[float] = []
    async with (
        post(streams, IVR_SPEECH_MODEL_DIR=str(model_dir), IVR_SPEECH_SLOTS=str(streams + 2)) as (system, town),
        AgiServer(system.settings.agi_port, listen),
    ):
        elders = [await town.call(f"0215000{n:04}", system.settings.hotline_number) for n in range(streams)]
        for elder in elders:
            await elder.answered()
        heard = [spoken(seconds + WARM_S, 7 * n) for n in range(streams)]
        lines = [encode(array("h", pcm).tolist()) for pcm in heard]
        pids = {"worker": system.speech_worker(), "asterisk": system.processes["asterisk"].pid}
        pids["pool"] = system.processes["speech"].pid
        for block in range(blocks):
            print(f"\r  block {block + 1}/{blocks}: {streams} callers talk for {seconds:g} s", end="", flush=True)
            for elder, alaw in zip(elders, lines, strict=True):
                elder.say(alaw)
            await asyncio.sleep(WARM_S)
            before = {name: proc.cpu_ms(pid) for name, pid in pids.items()}
            began = time.monotonic()
            await asyncio.sleep(seconds - 1)
            took = time.monotonic() - began
            used = {name: (proc.cpu_ms(pid) - before[name]) / 1000 / took / streams for name, pid in pids.items()}
            phone.append(used)
            for elder in elders:
                await elder.said()
            print(f"\r  block {block + 1}/{blocks}: the bare library{' ' * 20}", end="", flush=True)
            library.append(await asyncio.to_thread(bare, model_dir, heard[block % streams]))
        dropped = system.speech().get("workers", {}).get("worker-1", {})
        for elder in elders:
            await elder.hang_up()
    print()
    share = {name: statistics.median(one[name] for one in phone) for name in phone[0]}
    all_of_it = statistics.median(sum(one.values()) for one in phone)
    alone = statistics.median(library)
    result = {
        "model": model_dir.name, "streams": streams, "blocks": blocks, "seconds": seconds,
        "cpu_a_stream": {name: round(value, 4) for name, value in share.items()},
        "bare": round(alone, 4), "bare_streams_per_core": round(1 / alone, 1),
        "line_streams_per_core": round(1 / all_of_it, 1), "ratio": round(alone / all_of_it, 3),
        "ratio_worker_only": round(alone / share["worker"], 3), "worker": dropped,
    }  # fmt: skip
    print(f"  {result}", flush=True)
    return result
