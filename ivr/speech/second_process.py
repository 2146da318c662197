"""The second ear's process, one for all workers: the model once, one utterance at a time, after everybody else.

Started by the pool as `python -m ivr.speech.second_process FD FOLDER`; FD is its end of a socket pair. Over it come the
workers' lines (as descriptors), and back goes a line of JSON twice a second, the first when the model is loaded. When
the pool is gone, so is this. What was said never leaves it: the lines carry ids (`second_line`).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from ivr.errors import PlainError
from ivr.settings import load_settings
from ivr.speech.beside import GRAMMAR
from ivr.speech.control import handed_over, tell
from ivr.speech.ear import Hypothesis
from ivr.speech.grammar import Grammar, load_grammar
from ivr.speech.second_ear import MOST_WAITING, SecondEar, weights
from ivr.speech.second_line import HEAD, MOST_BYTES
from ivr.speech.understand import understand
from ivr.speech.waiting_room import WaitingRoom, Waits

log = logging.getLogger(__name__)

NICENESS = 15
"""It takes 0.4 of a core while somebody speaks: the workers, Asterisk and the engine come first."""
FIRST_TO_GO = 800
"""oom_score_adj: when memory runs out, its 446 MB go before anything that a call needs."""
TELL_EVERY_S = 0.5
NOT_INSTALLED = 3
"""Exit status: starting again is of no use."""

Write = Callable[[bytes], str]
Speaker = tuple[int, int]
"""Line and stream."""


class Desk:
    """All lines, one queue, one thread."""

    def __init__(self, write_down: Write, grammar: Grammar) -> None:
        self._write_down = write_down
        self._grammar = grammar
        self._room = WaitingRoom[Speaker](MOST_WAITING)
        self._lines: dict[int, asyncio.StreamWriter] = {}
        self._numbers = itertools.count(1)
        self._something = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.heard = 0
        self.failed = 0

    def says(self) -> dict[str, int]:
        return {"heard": self.heard, "dropped": self._room.dropped, "failed": self.failed, "waiting": len(self._room)}

    def take_line(self, connection: socket.socket) -> None:
        task = asyncio.create_task(self._line(connection), name="line")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def work(self) -> None:
        """One utterance after the other, for ever."""
        while True:
            if (one := self._room.take()) is None:
                self._something.clear()
                await self._something.wait()
                continue
            meaning, score = await asyncio.to_thread(self._meaning, one.pcm)
            self._answer(one, meaning, score)

    def _meaning(self, pcm: bytes) -> tuple[str, int]:
        try:
            text = self._write_down(pcm)
            found = understand(self._grammar, Hypothesis(text, (), True)) if text else None
        except Exception as fault:  # whatever the engine raises; its text could hold what was said
            self.failed += 1
            log.error("the second ear failed at an utterance: %s", type(fault).__name__)
            return "", 0
        self.heard += 1
        return (found.id, round(100 * found.score)) if found else ("", 0)

    def _answer(self, one: Waits[Speaker], meaning: str, score: int) -> None:
        line, stream = one.speaker
        writer = self._lines.get(line)
        if writer is not None and not writer.is_closing():
            writer.write(json.dumps([stream, one.number, meaning, score]).encode() + b"\n")

    async def _line(self, connection: socket.socket) -> None:
        number = next(self._numbers)
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
        except OSError:
            connection.close()
            return
        self._lines[number] = writer
        try:
            while True:
                stream, utterance, length = HEAD.unpack(await reader.readexactly(HEAD.size))
                if length > MOST_BYTES:
                    raise ValueError("an utterance that is too long")
                self._hear((number, stream), utterance, await reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):  # the worker is gone
            pass
        except ValueError as fault:
            log.error("a worker's line is closed: %s", fault)
        finally:
            del self._lines[number]
            writer.close()
            self._room.forget(lambda speaker: speaker[0] == number)

    def _hear(self, speaker: Speaker, number: int, pcm: bytes) -> None:
        if not pcm:
            self._room.forget(lambda one: one == speaker)
            return
        if (lost := self._room.put(Waits(speaker, number, pcm))) is not None:
            log.warning("second ear: too much to hear; %d utterances dropped since the start", self._room.dropped)
            self._answer(lost, "", 0)
        self._something.set()


async def serve(control: socket.socket, desk: Desk) -> None:
    """Until the pool closes its end."""
    working = [
        asyncio.create_task(desk.work(), name="work"),
        asyncio.create_task(tell(control, desk.says, TELL_EVERY_S), name="tell"),
    ]
    try:
        async for _word, connection in handed_over(control):
            desk.take_line(connection)
    finally:
        for task in working:
            task.cancel()


def stand_back() -> None:
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(FIRST_TO_GO))


def main(arguments: list[str]) -> int:
    logging.basicConfig(
        stream=sys.stderr, level=load_settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)  # it has a line for each utterance
    stand_back()
    control = socket.socket(fileno=int(arguments[0]))
    try:
        write_down = SecondEar(weights(Path(arguments[1]))).write_down
    except PlainError as error:
        print(f"{error.zh}\n{error.en}", file=sys.stderr)
        return NOT_INSTALLED
    except (OSError, RuntimeError) as error:  # a full disk; weights that CTranslate2 does not take
        print(f"the second ear's model was not loaded: {type(error).__name__}", file=sys.stderr)
        return 1
    asyncio.run(run(control, write_down))
    return 0


async def run(control: socket.socket, write_down: Write) -> None:
    await serve(control, Desk(write_down, load_grammar(GRAMMAR)))
    sys.stderr.flush()
    os._exit(0)  # asyncio.run would wait for the utterance that is being written down


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
