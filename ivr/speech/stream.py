"""One connection of Asterisk's: its slot, its turns, its sound. Recognition runs in a thread, not the event loop."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from ivr.speech import aeap, beside
from ivr.speech.aeap import AeapError, Request
from ivr.speech.beside import Beside
from ivr.speech.ear import EarError, Recogniser
from ivr.speech.grammar import Grammar, is_distress
from ivr.speech.second_line import SecondLine
from ivr.speech.slots import Slots
from ivr.speech.turn import UNKNOWN_SPEECH, Turn, Verdict
from ivr.speech.voice import Voice

log = logging.getLogger(__name__)

SETUP_WITHIN_S = 2.0
"""Asterisk sends `setup` with the connection; who sends nothing is not Asterisk."""
PIECE = 1600
"""Bytes handed to the recogniser at once (100 ms). Carrying the sound costs 0.35 % of a core a stream, the decoder 4 to
8 %; pieces of 200 ms would save a twentieth of that and make every answer later."""
MOST_AT_ONCE = 8000
"""Bytes (0.5 s): a stream that has fallen behind must not keep a thread from the others for long."""
MOST_PENDING = 80_000
"""Bytes (5 s) that may wait for a thread; beyond, the oldest are dropped: words of 5 s ago help nobody."""
LONGEST_PROMPT_MS = 600_000
"""Ten minutes: longer than anything that is played before a question. A bound and no more: until the prompt's end
unknown speech is not told, and nine digits would be eleven days of that."""
LOST_AFTER = 8000
"""Bytes of sound (0.5 s) after a result: it did not end its RECOGNIZE, which takes a few milliseconds."""
TICK_S = 0.1
STOPPED_S = 0.3
"""No sound for so long: the telephone sends none while nobody speaks (G.711 with voice detection). A late packet of a
mobile network comes within 0.1 to 0.2 s."""
_STILL = bytes(round(TICK_S * 16000))
_numbers = itertools.count(1)


@dataclass
class Counts:
    """What one worker has done since it started."""

    streams: int = 0
    refused: int = 0
    turns: int = 0
    understood: int = 0
    unknown: int = 0
    distress: int = 0
    faults: int = 0
    dropped_s: float = 0.0
    lag_s: list[float] = field(default_factory=list)
    """Of the last results: from the arrival of the sound that decided to the result."""


@dataclass(frozen=True)
class Hall:
    """What all streams of a worker share."""

    recogniser: Recogniser
    grammars: Mapping[str, Grammar]
    slots: Slots
    threads: Executor
    counts: Counts
    second: SecondLine | None = None
    """To the second ear, where a centre wants one; what it hears comes late or never."""


@dataclass
class Told:
    """A result."""

    meaning: str
    score: int
    grammar: str
    since: int = 0
    """Bytes of sound that came after it."""


class Stream:
    def __init__(self, ws: web.WebSocketResponse, hall: Hall, *, urgent: bool) -> None:
        self._ws = ws
        self._hall = hall
        self._urgent = urgent
        self._has_slot = False
        self._turn: Turn | None = None
        self._voice = Voice()
        self._grammar: Grammar | None = None
        self._turn_no = 0
        self._prompt_s: float | None = 0.0
        self._pending = bytearray()
        self._work: asyncio.Task[None] | None = None
        self._serial = itertools.count(1)
        self._beside: Beside | None = None
        self._told: Told | None = None
        self._ticks = 0
        """Since the last sound."""
        self._ticker: asyncio.Handle | None = None

    async def run(self) -> None:
        """Until Asterisk closes, or says something that is not AEAP."""
        try:
            async with asyncio.timeout(SETUP_WITHIN_S):
                if not await self._set_up():
                    return
            self._tick()
            async for message in self._ws:
                if message.type is WSMsgType.BINARY:
                    self._ticks = 0
                    self._hear(message.data)
                    await self._tell_late()
                    await self._tell_again(len(message.data))
                elif message.type is WSMsgType.TEXT:
                    if (request := aeap.parse(message.data)) is not None:
                        await self._ws.send_str(self._answer(request))
                else:
                    return
        except TimeoutError:
            await self._refuse("no setup in time")
        except AeapError as wrong:
            await self._refuse(str(wrong))
        except (ConnectionError, RuntimeError):  # aiohttp: the far end is gone in the middle of a message
            pass
        finally:
            self._end()

    async def _set_up(self) -> bool:
        message = await self._ws.receive()
        if message.type is not WSMsgType.TEXT:
            if message.type is WSMsgType.BINARY:
                raise AeapError("sound before setup")
            return False
        request = aeap.parse(message.data)
        if request is None or request.name != "setup":
            raise AeapError("the first request must be setup")
        if aeap.CODEC not in request.codecs:
            raise AeapError(f"codec {aeap.CODEC} is not offered")
        # Whoever can should look at the status first: of each stream that is refused here Asterisk 22.10.1 keeps 11 kB
        # and 500 kB of address space for ever (1,000 refusals measured; res_speech_aeap.c frees nothing then).
        if not self._hall.slots.take(urgent=self._urgent):
            self._hall.counts.refused += 1
            await self._ws.send_str(aeap.refused("setup", request.id, "no free slot"))
            await self._ws.close()
            return False
        self._has_slot = True
        self._hall.counts.streams += 1
        await self._ws.send_str(aeap.accepted_setup(request))
        return True

    async def _refuse(self, why: str) -> None:
        self._hall.counts.faults += 1
        log.warning("AEAP: %s", why)
        try:
            await self._ws.send_str(aeap.refused("error", "", why))
            await self._ws.close(code=1008, message=why.encode())
        except (ConnectionError, RuntimeError):
            pass

    def _end(self) -> None:
        self._turn = self._grammar = None
        self._pending.clear()
        if self._ticker is not None:
            self._ticker.cancel()
        if self._work is not None:
            self._work.cancel()
        self._end_beside()
        if self._has_slot:
            self._has_slot = False
            self._hall.slots.give_back()

    def _end_beside(self) -> None:
        if self._beside is not None:
            self._beside.end()
            self._beside = None

    # ---- what Asterisk asks

    def _answer(self, request: Request) -> str:
        if request.name == "setup":
            raise AeapError("a second setup")
        if request.name == "get":
            if "results" in request.params:  # they are sent when there are any; nothing is kept for later
                return aeap.done(request, {"results": []})
            return aeap.refused("get", request.id, "nothing of this name to get")
        for name, value in request.params.items():
            if why := self._set(name, value):
                return aeap.refused("set", request.id, why)
        return aeap.done(request)

    def _set(self, name: str, value: object) -> str:
        """Empty when done, else why not."""
        match name:
            case "prompt_ms":
                return self._set_prompt(value)
            case "grammar":
                grammar = self._hall.grammars.get(value) if isinstance(value, str) else None
                if grammar is None:
                    return "no such grammar"
                self._begin(grammar)
                return ""
            case "dtmf" | "results_type":  # Asterisk tells of keys; they end the turn there
                return ""
        return "no such setting"

    def _set_prompt(self, value: object) -> str:
        if value == "never":
            self._prompt_s = None
            return ""
        if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > 9:
            return "prompt_ms is not a number"
        self._prompt_s = min(int(value), LONGEST_PROMPT_MS) / 1000
        return ""

    def _begin(self, grammar: Grammar) -> None:
        """A new turn: what was heard before is forgotten. Its ear is opened with its first sound, in the thread."""
        self._pending.clear()
        self._turn = None
        self._turn_no += 1
        self._grammar = grammar
        self._hall.counts.turns += 1
        self._told = None
        self._ticks = 0
        second = self._hall.second
        if second is None or grammar.name != beside.GRAMMAR or self._urgent:
            self._end_beside()
        elif self._beside is None:
            self._beside = Beside(second, next(_numbers))

    # ---- what the speaker says

    def _hear(self, sound: bytes) -> None:
        if self._grammar is None:
            return
        self._pending += sound
        if len(self._pending) > MOST_PENDING:
            excess = len(self._pending) - MOST_PENDING
            excess += excess % 2
            del self._pending[:excess]
            self._hall.counts.dropped_s += excess / 16000
        if self._work is None and len(self._pending) >= PIECE:
            self._work = asyncio.create_task(self._recognise(), name="recognise")
            self._work.add_done_callback(self._idle)

    def _tick(self) -> None:
        """Where no sound comes it is silence that is not sent: an answer is over, and nobody would know; and who pauses
        between two would seem to speak on and on. A stream that was only late loses nothing but its smoothness."""
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        self._ticks += 1
        stopped = round(STOPPED_S / TICK_S)
        if self._ticks >= stopped:
            self._hear(_STILL * (stopped if self._ticks == stopped else 1))

    def _idle(self, task: asyncio.Task[None]) -> None:
        self._work = None
        if not task.cancelled() and (fault := task.exception()) is not None:
            log.error("a stream failed: %s", type(fault).__name__)

    async def _recognise(self) -> None:
        """Feed what is pending, in order, until too little is left. One thread at a time for one stream."""
        loop = asyncio.get_running_loop()
        while len(self._pending) >= PIECE and (grammar := self._grammar) is not None:
            piece = bytes(self._pending[: min(MOST_AT_ONCE, len(self._pending) // 2 * 2)])
            del self._pending[: len(piece)]
            arrived = loop.time() - len(self._pending) / 16000  # sound comes as fast as it is spoken
            turn, number, aside = self._turn, self._turn_no, self._beside
            try:
                turn, verdict, whole = await loop.run_in_executor(
                    self._hall.threads, self._feed, turn, grammar, piece, aside
                )
            except EarError as fault:
                self._hall.counts.faults += 1
                log.error("%s: this stream hears no more", fault)
                self._grammar = None
                return
            if aside is not None and whole is not None:
                aside.send(whole)
            if self._turn_no != number:  # another turn began meanwhile
                if aside is not None and verdict is not None and is_distress(verdict.meaning):
                    aside.keep(verdict.meaning, verdict.score)
                continue
            self._turn = turn
            if verdict is not None:
                if aside is not None:
                    aside.settle()
                counts = self._hall.counts
                counts.lag_s = [*counts.lag_s[-99:], loop.time() - arrived]
                await self._report(Told(verdict.meaning, verdict.score, grammar.name))

    def _feed(
        self, turn: Turn | None, grammar: Grammar, piece: bytes, aside: Beside | None
    ) -> tuple[Turn, Verdict | None, bytes | None]:
        """In a thread. The last is an utterance that has ended, for the second ear."""
        whole = aside.cut(piece) if aside is not None else None
        if turn is None:
            turn = Turn(grammar, lambda: self._hall.recogniser.open(grammar), self._prompt_s, self._voice)
        return turn, turn.feed(piece), whole

    # ---- what is told

    async def _report(self, told: Told) -> None:
        """The turn's only result: Asterisk's RECOGNIZE ends with it."""
        self._grammar = self._turn = None
        counts = self._hall.counts
        if told.meaning == UNKNOWN_SPEECH:
            counts.unknown += 1
        else:
            counts.understood += 1
            counts.distress += is_distress(told.meaning)
        self._told = told
        await self._send(told)

    async def _send(self, told: Told) -> None:
        await self._ws.send_str(aeap.results(f"r{next(self._serial)}", told.meaning, told.score, told.grammar))

    async def _tell_late(self) -> None:
        """What the second ear heard, as the turn's result. Only here, after sound: while none comes no RECOGNIZE runs,
        and Asterisk throws away what comes between two (res_agi.c starts the engine anew when it is DONE)."""
        grammar, aside = self._grammar, self._beside
        if grammar is None or aside is None:
            return
        late = aside.take(speaking=self._voice.began_s is not None)
        if late is not None:
            self._turn_no += 1  # what the recogniser's thread is at belongs to this turn no more
            await self._report(Told(late.meaning, late.score, grammar.name))

    async def _tell_again(self, length: int) -> None:
        """A result that came just between two RECOGNIZE of the same turn is lost, and nobody sets the grammar anew: the
        ear would stay deaf. With a result that was taken, sound ends."""
        told = self._told
        if told is None or told.grammar != beside.GRAMMAR:
            return
        told.since += length
        if told.since >= LOST_AFTER:
            told.since = 0
            await self._send(told)
