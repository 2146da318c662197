"""One worker process: a model, its threads, and the connections that the pool hands over.

Started by the pool as `python -m ivr.speech.worker FD MODEL`; FD is its end of a socket pair. Over it come accepted
connections and a line to the second ear (as descriptors), and back goes a line of JSON five times a second. When the
pool is gone, so is the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ivr.errors import PlainError
from ivr.settings import Settings, load_settings
from ivr.speech.grammar import grammar_names, load_grammar
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

    recogniser = VoskRecogniser(model)
    grammars = {name: load_grammar(name) for name in grammar_names()}
    for grammar in grammars.values():  # split into the model's words now, not in the first caller's ear
        recogniser.open(grammar)
    slots = Slots(settings.speech_slots, settings.speech_slots_for_emergencies)
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="ear")
    second = SecondLine() if settings.speech_second_ear else None
    return Hall(recogniser, grammars, slots, threads, Counts(), second)


async def serve(control: socket.socket, hall: Hall) -> None:
    """Until the pool closes its end."""
    loop = asyncio.get_running_loop()
    runner = await open_server(hall)
    assert runner.server is not None
    telling = asyncio.create_task(_tell(control, hall), name="tell")
    readable = asyncio.Event()
    loop.add_reader(control, readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            try:
                said, handed, _, _ = socket.recv_fds(control, 64, 8)
            except BlockingIOError:
                continue
            except OSError:
                return
            for number in handed:
                connection = socket.socket(fileno=number)
                connection.setblocking(False)
                if said == LINE:
                    await _to_second_ear(hall, connection)
                    continue
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with contextlib.suppress(OSError):  # gone already
                    await loop.connect_accepted_socket(runner.server, connection)
            if not said and not handed:
                return
            readable.set()  # several may have come at once
    finally:
        loop.remove_reader(control)
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


async def _tell(control: socket.socket, hall: Hall) -> None:
    """How many are heard, and that the event loop turns."""
    while True:
        slots, counts = hall.slots, asdict(hall.counts)
        lags = sorted(counts.pop("lag_s"))
        second = asdict(hall.second.counts) if hall.second is not None else {}
        said = {
            "streams": slots.taken,
            "free_urgent": slots.free(urgent=True),
            "free_ordinary": slots.free(urgent=False),
            "counts": counts | second | {"lag_p95_s": round(lags[int(len(lags) * 0.95)], 4) if lags else 0.0},
        }
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            control.send(json.dumps(said).encode())
        await asyncio.sleep(TELL_EVERY_S)


def main(arguments: list[str]) -> int:
    settings = load_settings()
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    control = socket.socket(fileno=int(arguments[0]))
    control.setblocking(False)
    try:
        hall = build_hall(settings, Path(arguments[1]))
    except PlainError as error:
        print(error.en, file=sys.stderr)
        return 3
    asyncio.run(serve(control, hall))
    sys.stderr.flush()
    os._exit(0)  # a thread inside the decoder must not hold the end up


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
