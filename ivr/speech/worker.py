"""One worker process: a model, its threads, and the connections that the pool hands over.

Started by the pool as `python -m ivr.speech.worker FD MODEL`; FD is its end of a socket pair. Over it come accepted
connections and a line to the second ear (as descriptors), and back goes a line of JSON five times a second. When the
pool is gone, so is the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from ivr.errors import PlainError
from ivr.settings import Settings, load_settings
from ivr.speech.control import handed_over, tell
from ivr.speech.dictation import dictates
from ivr.speech.grammar import grammar_names, load_grammar
from ivr.speech.models import examine_model
from ivr.speech.second_keeper import LINE
from ivr.speech.second_line import SecondLine
from ivr.speech.server import open_server
from ivr.speech.slots import Slots
from ivr.speech.stream import Counts, Hall

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.2
THREADS = 2
"""The decoder leaves Python's lock; a second thread keeps a long stretch of one stream from holding up the others."""


def build_hall(settings: Settings, model: Path) -> Hall:
    """Load the model and every grammar. Raises PlainError."""
    from ivr.speech.vosk_ear import VoskRecogniser

    recogniser = VoskRecogniser(model, dictates(settings.speech_dictation, examine_model(model)))
    grammars = {name: load_grammar(name) for name in grammar_names()}
    for grammar in grammars.values():  # split into the model's words now, not in the first caller's ear
        recogniser.open(grammar)
    slots = Slots(settings.speech_slots, settings.speech_slots_for_emergencies)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ear")
    second = SecondLine() if settings.speech_second_ear else None
    return Hall(recogniser, grammars, slots, threads, Counts(), second)


async def serve(control: socket.socket, hall: Hall) -> None:
    """Until the pool closes its end."""
    runner = await open_server(hall)
    assert runner.server is not None
    telling = asyncio.create_task(tell(control, lambda: _says(hall), TELL_EVERY_S), name="tell")
    try:
        async for word, connection in handed_over(control):
            connection.setblocking(False)
            if word == LINE:
                await _to_second_ear(hall, connection)
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):  # gone already
                await asyncio.get_running_loop().connect_accepted_socket(runner.server, connection)
    finally:
        telling.cancel()
        await runner.cleanup()


async def _to_second_ear(hall: Hall, connection: socket.socket) -> None:
    if hall.second is None:
        connection.close()
        return
    try:
        await hall.second.attach(connection)
    except OSError as error:  # it went as it came
        log.warning("no line to the second ear: %s", error.strerror)
        connection.close()


def _says(hall: Hall) -> dict[str, Any]:
    """How many are heard."""
    slots, counts = hall.slots, asdict(hall.counts)
    lags = sorted(counts.pop("lag_s"))
    second = asdict(hall.second.counts) if hall.second is not None else {}
    return {
        "streams": slots.taken,
        "free_urgent": slots.free(urgent=True),
        "free_ordinary": slots.free(urgent=False),
        "counts": counts | second | {"lag_p95_s": round(lags[int(len(lags) * 0.95)], 4) if lags else 0.0},
    }


def main(arguments: list[str]) -> int:
    settings = load_settings()
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    control = socket.socket(fileno=int(arguments[0]))
    try:
        hall = build_hall(settings, Path(arguments[1]))
    except PlainError as error:
        print(error.en, file=sys.stderr)
        return 3
    uvloop.run(serve(control, hall))
    sys.stderr.flush()
    os._exit(0)  # a thread inside the decoder must not hold the end up


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
