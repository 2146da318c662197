"""The same utterances by file and through the telephone: SIP, G.711, Asterisk, AEAP, worker, AGI. And how soon.

The engine's place is taken by an AGI server that only asks: no database, no flow, so that what is measured is hearing.
By file is `bench speech`: the bare recogniser and `understand`, on the utterance's own file. Through the telephone the
same samples come on three kinds of line, which differ in what is heard between two utterances.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from array import array
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.numbers import percentile
from bench.speech import here, ids_of, sound
from bench.speech_channel import line_noise
from bench.speech_material import ESPEAK_VOICES, KOKORO_VOICES, Utterance, no_audio, phrases, read
from ivr.asterisk.agi_call import AgiCall
from ivr.asterisk.agi_speech import Ear, EarLost, said
from ivr.asterisk.config import SILENCE
from ivr.asterisk.fastagi import AgiServer, AgiSession
from ivr.asterisk.portable import sipp_command
from ivr.callflows.call import CallerHungUp
from ivr.callflows.call import Said as Understood
from ivr.prompts.alaw import RATE, encode
from ivr.settings import Settings
from ivr.speech.dictation import dictates
from ivr.speech.grammar import load_grammar
from ivr.speech.models import examine_model
from tests.calls.harness import PortBlock, Town
from tests.calls.harness.legs import Elder
from tests.calls.system import System

LINES = ("steady", "switched", "unsent")
"""Between the utterances: the line's noise, as on an analogue line; digital silence, so that the noise comes and goes
with the voice; not a packet, as from a telephone with voice detection."""
WITHIN_S = 8
"""One RECOGNIZE; longer than any utterance here and the pause that ends it."""
BEFORE_S = 1.8
"""Of listening before each utterance, as while our question plays: who talks on without a pause is taken for a machine
(ivr/speech/voice.py)."""
LOUD = 1200
"""Of 32,768: above the peaks of the line's noise; the end of speech is the last sample as loud."""
LOST = ("lost", float("nan"))
CALLERS = 8
STRANGERS = 3
"""Every third utterance is also said to a turn that asks for something else."""


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
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Nobody asks on this call any more: it has ended, or its AGI has."""

    async def ask(self, grammar: str, alaw: bytes) -> tuple[str, float]:
        """Speak into one turn; what was understood ("" for nothing), and when (`loop.time()`). What a call has not told
        when it ends, or soon enough, is lost; until everything has been said, too."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[tuple[str, float]] = loop.create_future()
        await self.turns.put((grammar, outcome))
        gone = asyncio.create_task(self.over.wait())
        try:
            async with asyncio.timeout(WITHIN_S + 8):
                await asyncio.wait((gone,), timeout=BEFORE_S)
                if not self.over.is_set():
                    self.elder.say(alaw)
                    await asyncio.wait((gone, outcome), return_when=asyncio.FIRST_COMPLETED)
                if self.over.is_set():
                    return LOST
                await self.elder.said()
                return outcome.result()
        except (TimeoutError, CallerHungUp):
            return LOST
        finally:
            gone.cancel()


@asynccontextmanager
async def post(callers: int, **options: str) -> AsyncIterator[tuple[ListeningPost, Town]]:
    with (
        tempfile.TemporaryDirectory(prefix="yinling-bench-", ignore_cleanup_errors=True) as folder,
        PortBlock(700) as ports,
    ):
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
        try:
            await answers(line, session, call)
        finally:
            line.over.set()

    async def answers(line: Line, session: AgiSession, call: AgiCall) -> None:
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
                found = heard.meaning if isinstance(heard, Understood) else ""
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


@dataclass(frozen=True)
class Said:
    """An utterance, and the turn that it is said to."""

    one: Utterance
    grammar: str

    @property
    def own(self) -> bool:
        return self.grammar == self.one.group


def right(said: Said, found: str) -> bool:
    """Understood as meant; to a stranger's turn: taken for an answer."""
    if not said.own:
        return found not in ("", "lost")
    wanted = said.one.wanted
    return found.startswith("time.") if wanted == "time" else found == wanted


def what_is_said(utterances: Sequence[Utterance]) -> list[Said]:
    """Each to its own turn, and some to another's, where they are nothing."""
    names = list(dict.fromkeys(one.group for one in utterances))
    said = [Said(one, one.group) for one in utterances]
    for n, one in enumerate(utterances[::STRANGERS]):
        grammar = load_grammar(names[(names.index(one.group) + 1 + n % (len(names) - 1)) % len(names)])
        if one.group not in (grammar.name, "distress") and not any(entry in one.text for entry in grammar.phrases):
            said.append(Said(one, grammar.name))
    return said


def speech_end_s(pcm: bytes) -> float:
    """Seconds from its beginning to the last loud sample."""
    samples = array("h", pcm)
    return next((n + 1 for n in range(len(samples) - 1, -1, -1) if abs(samples[n]) > LOUD), 0) / RATE


def _alaw(pcm: bytes) -> bytes:
    return encode(array("h", pcm).tolist())


def between(kind: str, one: Utterance) -> bytes | None:
    """What the line sounds like while nobody speaks."""
    if kind == "steady":
        return _alaw(line_noise(read(one.path), one.seed, 5.0))
    return None if kind == "unsent" else _alaw(bytes(320))


async def _through(line: Line, kind: str, work: deque[Said], rows: list[dict[str, Any]], total: int) -> None:
    """Until there is no more to say, or the call has ended: the other callers then say the rest."""
    loop = asyncio.get_running_loop()
    while work and not line.over.is_set():
        said = work.popleft()
        pcm = sound(said.one)
        line.elder.idle(between(kind, said.one))
        began = loop.time()
        found, at = await line.ask(said.grammar, _alaw(pcm))
        # The peer's clock starts with say(): its packets leave against a fixed origin.
        rows.append({"said": said, "line": found, "late_s": at - (began + BEFORE_S + speech_end_s(pcm))})
        if len(rows) % 10 == 0 or len(rows) == total:
            print(f"\r  {kind}: {len(rows)}/{total} through the telephone", end="", flush=True)
    if line.over.is_set():
        print(f"\n  {kind}: a call ended before everything was said, by {line.elder.ended_by or 'its AGI'}", flush=True)


async def through_the_line(kind: str, said: Sequence[Said], callers: int, model_dir: Path) -> list[dict[str, Any]]:
    work, rows = deque(said), list[dict[str, Any]]()
    async with lines(callers, model_dir) as ready:
        async with asyncio.TaskGroup() as group:
            for line in ready:
                group.create_task(_through(line, kind, work, rows, len(said)))
        print()
        rows += [{"said": one, "line": LOST[0], "late_s": LOST[1]} for one in work]  # every call has ended
        for line in ready:
            await line.elder.hang_up()
    return rows


def by_file(model_dir: Path, said: Sequence[Said]) -> dict[Said, str]:
    from ivr.speech.vosk_ear import VoskRecogniser

    vosk = VoskRecogniser(model_dir, dictates("auto", examine_model(model_dir)))  # as the workers do
    found: dict[Said, str] = {}
    for n, one in enumerate(said, 1):
        ids = ids_of(vosk, load_grammar(one.grammar), sound(one.one))
        found[one] = ids[0] if ids else ""
        if n % 25 == 0 or n == len(said):
            print(f"\r  {n}/{len(said)} by file", end="", flush=True)
    print()
    return found


def compared(filed: dict[Said, str], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One kind of line against the file."""
    line = {row["said"]: row["line"] for row in rows}
    total = _counts(filed, line, list(filed))
    times = [row["late_s"] for row in rows if row["line"] and right(row["said"], row["line"])]
    short = [row["late_s"] for row in rows
             if right(row["said"], row["line"]) and load_grammar(row["said"].grammar).whole]  # fmt: skip
    return {
        **total,
        "ratio": (
            round(total["understood_by_line"] / total["understood_by_file"], 3) if total["understood_by_file"] else None
        ),
        "same_outcome": sum(filed[one] == line[one] for one in filed if one.own),
        "by_grammar": {
            name: _counts(filed, line, [one for one in filed if one.grammar == name])
            for name in dict.fromkeys(one.grammar for one in filed)
        },
        "lost": sum(value == "lost" for value in line.values()),
        "end_of_speech_to_outcome_s": {"all": _spread(times), "whole_answers": _spread(short)},
        "differ": [f"{one.one.voice} {one.grammar} {one.one.text}: {filed[one] or '∅'} / {line[one] or '∅'}"
                   for one in filed if filed[one] != line[one]],
    }  # fmt: skip


def _counts(filed: dict[Said, str], line: dict[Said, str], which: Sequence[Said]) -> dict[str, int]:
    """Of its own answers those understood, of what strangers say those taken for an answer."""
    own, strange = [one for one in which if one.own], [one for one in which if not one.own]
    return {
        "utterances": len(own),
        "understood_by_file": sum(right(one, filed[one]) for one in own),
        "understood_by_line": sum(right(one, line[one]) for one in own),
        "others": len(strange),
        "false_by_file": sum(right(one, filed[one]) for one in strange),
        "false_by_line": sum(right(one, line[one]) for one in strange),
    }


def _spread(times: Sequence[float]) -> dict[str, float]:
    if not times:
        return {"turns": 0}
    return {"turns": len(times), "p50": round(percentile(times, 0.5), 2), "p95": round(percentile(times, 0.95), 2)}


async def run(
    model_dir: Path, *, quick: bool, callers: int = CALLERS, every: int = 1, kinds: Sequence[str] = LINES
) -> dict[str, Any]:
    """By file and on each kind of line. `every`: each nth utterance only."""
    if why := no_audio():
        return {"missing": why}
    said = what_is_said(here([*phrases(ESPEAK_VOICES), *phrases(KOKORO_VOICES)])[:: 9 if quick else every])
    filed = await asyncio.to_thread(by_file, model_dir, said)
    result: dict[str, Any] = {"model": model_dir.name, "callers": callers, "lines": {}}
    for kind in kinds:
        began = time.monotonic()
        found = compared(filed, await through_the_line(kind, said, callers, model_dir))
        result["lines"][kind] = found | {"took_s": round(time.monotonic() - began)}
        print(f"  {kind}: understood by file {found['understood_by_file']}, by telephone {found['understood_by_line']} "
              f"of {found['utterances']}; false {found['false_by_file']} / {found['false_by_line']} of "
              f"{found['others']}; {found['end_of_speech_to_outcome_s']}", flush=True)  # fmt: skip
    return result
