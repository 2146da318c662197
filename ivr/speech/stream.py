"""One connection of Asterisk's: its slot, its turns, its sound. Recognition runs in a thread, not the event loop."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web

from ivr.speech import aeap
from ivr.speech.aeap import AeapError, Request
from ivr.speech.ear import EarError, Recogniser
from ivr.speech.grammar import Grammar
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

    async def run(self) -> None:
        """Until Asterisk closes, or says something that is not AEAP."""
        try:
            async with asyncio.timeout(SETUP_WITHIN_S):
                if not await self._set_up():
                    return
            async for message in self._ws:
                if message.type is WSMsgType.BINARY:
                    self._hear(message.data)
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
        if self._work is not None:
            self._work.cancel()
        if self._has_slot:
            self._has_slot = False
            self._hall.slots.give_back()

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
            arrived = loop.time()
            turn, number = self._turn, self._turn_no
            try:
                turn, verdict = await loop.run_in_executor(self._hall.threads, self._feed, turn, grammar, piece)
            except EarError as fault:
                self._hall.counts.faults += 1
                log.error("%s: this stream hears no more", fault)
                self._grammar = None
                return
            if self._turn_no != number:  # another turn began meanwhile
                continue
            self._turn = turn
            if verdict is not None:
                self._grammar = self._turn = None
                await self._report(grammar, verdict, loop.time() - arrived)

    def _feed(self, turn: Turn | None, grammar: Grammar, piece: bytes) -> tuple[Turn, Verdict | None]:
        """In a thread."""
        if turn is None:
            turn = Turn(grammar, lambda: self._hall.recogniser.open(grammar), self._prompt_s, self._voice)
        return turn, turn.feed(piece)

    async def _report(self, grammar: Grammar, verdict: Verdict, lag_s: float) -> None:
        counts = self._hall.counts
        if verdict.meaning == UNKNOWN_SPEECH:
            counts.unknown += 1
        else:
            counts.understood += 1
            counts.distress += verdict.meaning.startswith("distress.")
        counts.lag_s = [*counts.lag_s[-99:], lag_s]
        number = f"r{next(self._serial)}"
        await self._ws.send_str(aeap.results(number, verdict.meaning, verdict.score, grammar.name))
