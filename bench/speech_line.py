"""The same utterances by file and through the telephone: SIP, G.711, Asterisk, AEAP, worker, AGI. And how soon.

The engine's place is taken by an AGI server that only asks: no database, no flow, so that what is measured is hearing.
One caller speaks at a time when the time from the end of speech to the outcome is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.numbers import percentile
from bench.speech import here, ids_of
from bench.speech_channel import telephone
from bench.speech_material import ESPEAK_VOICES, KOKORO_VOICES, Utterance, phrases, read
from ivr.asterisk.agi_call import AgiCall
from ivr.asterisk.agi_speech import Ear, EarLost, said
from ivr.asterisk.config import SILENCE
from ivr.asterisk.fastagi import AgiServer, AgiSession
from ivr.asterisk.portable import sipp_command
from ivr.callflows.call import CallerHungUp, Said
from ivr.prompts.alaw import RATE, encode
from ivr.settings import Settings
from ivr.speech.grammar import load_grammar
from tests.calls.harness import PortBlock, Town
from tests.calls.harness.legs import Elder
from tests.calls.system import System

WITHIN_S = 8
"""One RECOGNIZE; longer than any utterance here and the pause that ends it."""
BETWEEN_S = 0.3
BEFORE_S, AFTER_S = 1.7, 2.0
"""The line with its noise, before and after each utterance, as while our question plays: who talks on without it is
taken for a machine (ivr/speech/voice.py). Noise that came and went with the words would be taken for speech itself."""
LOUD = 1200
"""Of 32,768: above the peaks of the line's noise; the end of speech is the last sample as loud."""
TURNS_FOR_TIMES = 60


class ListeningPost(System):
    """Asterisk and speech workers of the system; the engine's AGI port is ours."""

    async def start(self, part: str, program: Sequence[str] = ()) -> None:
        if part != "engine":
            await super().start(part, program)


@dataclass
class Line:
    """One call that is asked again and again."""

    elder: Elder
    turns: asyncio.Queue[tuple[str, asyncio.Future[tuple[str, float]]]] = field(default_factory=asyncio.Queue)

    async def ask(self, grammar: str, alaw: bytes) -> tuple[str, float]:
        """Speak into one turn; what was understood ("" for nothing), and when (`loop.time()`)."""
        outcome: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()
        await self.turns.put((grammar, outcome))
        await asyncio.sleep(BETWEEN_S)
        self.elder.say(alaw)
        return await outcome


@asynccontextmanager
async def post(callers: int, **options: str) -> AsyncIterator[tuple[ListeningPost, Town]]:
    with tempfile.TemporaryDirectory(prefix="yinling-bench-") as folder, PortBlock(700) as ports:
        slots = {"IVR_SPEECH_SLOTS": str(max(8, callers + 2)), "IVR_SPEECH_SLOTS_FOR_EMERGENCIES": "1", **options}
        system = ListeningPost(Path(folder) / "y", ports, with_console=False, with_speech=True, options=slots)
        async with system:
            s = system.settings
            async with Town(s.sip_port, s.trunk_port, sipp_command(Settings()), ports=ports) as town:
                yield system, town


@asynccontextmanager
async def lines(callers: int, model_dir: Path) -> AsyncIterator[list[Line]]:
    """So many calls, each with a recogniser of its own, ready to be asked."""
    waiting: asyncio.Queue[Line] = asyncio.Queue()

    async def turns(session: AgiSession) -> None:
        call = AgiCall(session, lambda _prompt: 0.0)
        await call.answer()
        line = await waiting.get()
        ear = await Ear.open(session, call.renew, "ordinary")
        while ear is not None:
            try:
                async with asyncio.timeout(2):
                    grammar, outcome = await line.turns.get()
            except TimeoutError:
                await call.renew(3)
                continue
            try:
                await ear.begin(grammar, "0")
                await call.renew(WITHIN_S + 2)
                heard = said(await ear.recognise(SILENCE, WITHIN_S))
                found = heard.meaning if isinstance(heard, Said) else ""
            except EarLost:
                found = "lost"
            if not outcome.done():
                outcome.set_result((found, asyncio.get_running_loop().time()))

    async with (
        post(callers, IVR_SPEECH_MODEL_DIR=str(model_dir)) as (system, town),
        AgiServer(system.settings.agi_port, turns),
    ):
        ready: list[Line] = []
        for n in range(callers):
            line = Line(await town.call(f"0215000{n:04}", system.settings.hotline_number))
            await waiting.put(line)
            await line.elder.answered()
            ready.append(line)
        await asyncio.sleep(1)
        yield ready


def heard_on_the_line(one: Utterance) -> bytes:
    """16-bit PCM, by file and by telephone the same."""
    before, after = (array("h", bytes(2 * round(seconds * RATE))) for seconds in (BEFORE_S, AFTER_S))
    return telephone(before + read(one.path) + after, one.seed)


def speech_end_s(pcm: bytes) -> float:
    """Seconds from its beginning to the last loud sample."""
    samples = array("h", pcm)
    return next((n + 1 for n in range(len(samples) - 1, -1, -1) if abs(samples[n]) > LOUD), 0) / RATE


async def _through(line: Line, work: asyncio.Queue[Utterance], rows: list[dict[str, Any]], total: int) -> None:
    while not work.empty():
        one = work.get_nowait()
        pcm = heard_on_the_line(one)
        alaw = encode(array("h", pcm).tolist())
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(WITHIN_S + 8):
                found, at = await line.ask(one.group, alaw)
        except (TimeoutError, CallerHungUp):
            found, at = "lost", float("nan")
        # The peer's clock starts with say(): its packets leave against a fixed origin.
        late = at - (began + BETWEEN_S + speech_end_s(pcm))
        rows.append({"utterance": one, "line": found, "late_s": late})
        await line.elder.said()
        if len(rows) % 10 == 0 or len(rows) == total:
            print(f"\r  {len(rows)}/{total} through the telephone", end="", flush=True)


async def through_the_line(utterances: Sequence[Utterance], callers: int, model_dir: Path) -> list[dict[str, Any]]:
    work: asyncio.Queue[Utterance] = asyncio.Queue()
    for one in utterances:
        work.put_nowait(one)
    rows: list[dict[str, Any]] = []
    async with lines(callers, model_dir) as ready:
        async with asyncio.TaskGroup() as group:
            for line in ready:
                group.create_task(_through(line, work, rows, len(utterances)))
        print()
        for line in ready:
            await line.elder.hang_up()
    return rows


def right(one: Utterance, found: str) -> bool:
    return bool(found) and (found.startswith("time.") if one.wanted == "time" else found == one.wanted)


def by_file(model_dir: Path, utterances: Sequence[Utterance]) -> dict[Utterance, str]:
    from ivr.speech.vosk_ear import VoskRecogniser

    vosk = VoskRecogniser(model_dir)
    found: dict[Utterance, str] = {}
    for n, one in enumerate(utterances, 1):
        ids = ids_of(vosk, load_grammar(one.group), heard_on_the_line(one))
        found[one] = ids[0] if ids else ""
        if n % 25 == 0 or n == len(utterances):
            print(f"\r  {n}/{len(utterances)} by file", end="", flush=True)
    print()
    return found


async def run(model_dir: Path, *, quick: bool, callers: int = 4, every: int = 1) -> dict[str, Any]:
    """Both ways, and the time from the end of speech to the outcome, one caller at a time. `every`: each nth only."""
    utterances = here([*phrases(ESPEAK_VOICES), *phrases(KOKORO_VOICES)])[:: 9 if quick else every]
    if not utterances:
        print("  没有测试语音 no audio to measure with: python -m bench.speech_material", flush=True)
        return {"missing": "audio"}
    filed = await asyncio.to_thread(by_file, model_dir, utterances)
    began = time.monotonic()
    rows = await through_the_line(utterances, 1 if quick else callers, model_dir)
    line = {row["utterance"]: row["line"] for row in rows}
    ok_file = sum(right(one, filed[one]) for one in utterances)
    ok_line = sum(right(one, line.get(one, "")) for one in utterances)
    same = sum(filed[one] == line.get(one) for one in utterances)
    result: dict[str, Any] = {
        "model": model_dir.name, "utterances": len(utterances), "understood_by_file": ok_file,
        "understood_by_line": ok_line, "ratio": round(ok_line / ok_file, 3) if ok_file else None, "same_outcome": same,
        "lost": sum(value == "lost" for value in line.values()), "took_s": round(time.monotonic() - began),
        "differ": [f"{one.voice} {one.text}: {filed[one] or '∅'} / {line.get(one) or '∅'}"
                   for one in utterances if filed[one] != line.get(one)],
    }  # fmt: skip
    print(
        f"  understood by file {ok_file}, by telephone {ok_line} of {len(utterances)}; same outcome {same}", flush=True
    )
    sure = [one for one in utterances if right(one, filed[one]) and right(one, line.get(one, ""))]
    timed = [row for row in await through_the_line(sure[:TURNS_FOR_TIMES], 1, model_dir) if row["line"]]
    times = [row["late_s"] for row in timed if row["line"] != "lost"]
    short = [row["late_s"] for row in timed if load_grammar(row["utterance"].group).whole]
    result["end_of_speech_to_outcome_s"] = {
        "turns": len(times), "p50": round(percentile(times, 0.5), 2), "p95": round(percentile(times, 0.95), 2),
        "whole_answers": {"turns": len(short), "p50": round(percentile(short, 0.5), 2),
                          "p95": round(percentile(short, 0.95), 2)},
    }  # fmt: skip
    print(f"  end of speech to outcome {result['end_of_speech_to_outcome_s']}", flush=True)
    return result
