"""Streams that the second ear hears beside the recogniser: what it tells, when, and that nothing else changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import web

from ivr.speech.ear import BYTES_PER_S, UNKNOWN
from ivr.speech.grammar import grammar_names, load_grammar
from ivr.speech.second_line import SecondLine
from ivr.speech.server import open_server
from ivr.speech.slots import Slots
from ivr.speech.stream import Counts, Hall
from tests.adapters.test_speech_server import _listening
from tests.doubles.aeap_side import SILENT_PCM, AeapSide
from tests.doubles.patience import until
from tests.doubles.scripted_ear import Hears, ScriptedRecogniser
from tests.doubles.scripted_second_ear import Writes, connected

GRAMMARS = {name: load_grammar(name) for name in grammar_names()}
FALLEN = "我妈刚才从床上掉下来了现在说不出话"
CLEANING = "我想找人来帮我打扫卫生"


@dataclass
class Served:
    port: int
    hall: Hall
    line: SecondLine
    writes: Writes
    recogniser: ScriptedRecogniser


@asynccontextmanager
async def served(writes: Writes, *script: Hears) -> AsyncIterator[Served]:
    async with connected(writes) as (line, _):
        with ThreadPoolExecutor(2) as threads:
            ear = ScriptedRecogniser(*script)
            hall = Hall(ear, GRAMMARS, Slots(4, 1), threads, Counts(), line)
            runner = await open_server(hall)
            site = web.SockSite(runner, _listening())
            await site.start()
            try:
                yield Served(site._sock.getsockname()[1], hall, line, writes, ear)
            finally:
                await runner.cleanup()


async def sentence(asterisk: AeapSide, seconds: float = 2.0) -> None:
    await asterisk.sound(SILENT_PCM, 0.4)
    await asterisk.speech(seconds)
    await asterisk.sound(SILENT_PCM, 1.5)


async def goes_on(asterisk: AeapSide, seconds: float = 5.0) -> None:
    """Who waits is silent; the line's sound goes on in real time."""
    asterisk.pace = 1
    await asterisk.sound(SILENT_PCM, seconds)


async def result(asterisk: AeapSide) -> dict[str, object]:
    """While the line goes on: Asterisk gets it only then."""
    going = asyncio.create_task(_line(asterisk))
    try:
        return await asterisk.result()
    finally:
        going.cancel()


async def _line(asterisk: AeapSide) -> None:
    while True:
        await asterisk.ws.send_bytes(SILENT_PCM)
        await asyncio.sleep(0.02)


async def test_distress_inside_a_sentence_that_the_recogniser_does_not_know() -> None:
    async with served(Writes(FALLEN), Hears(UNKNOWN, 1.0)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        await sentence(asterisk)
        found = await result(asterisk)
        assert str(found.pop("text")).startswith("distress.")
        assert 50 <= int(str(found.pop("score"))) <= 100
        assert found == {"grammar": "listen", "best": 0}
        (length,) = worker.writes.lengths
        assert 1.8 * BYTES_PER_S < length < 3.6 * BYTES_PER_S, "the whole sentence"
        assert worker.hall.counts.distress == worker.line.counts.second_told == 1
        assert worker.hall.counts.lag_s == [], "the recogniser's own"


@pytest.mark.parametrize(("path", "grammar"), [("/urgent", "listen"), ("/ordinary", "services"), ("/urgent", "accept")])
async def test_nobody_elses_speech_is_given_to_it(path: str, grammar: str) -> None:
    async with served(Writes(FALLEN), Hears(UNKNOWN, 1.0)) as worker, AeapSide(worker.port, path) as asterisk:
        await asterisk.set_up()
        await asterisk.turn(grammar, "never")
        await sentence(asterisk)
        await goes_on(asterisk, 0.4)
        assert (worker.line.counts.second_sent, worker.line.counts.second_lost) == (0, 0)
        await asterisk.turn("listen", "never")
        if path == "/ordinary":
            asterisk.pace = 0.03
            await sentence(asterisk)
            assert str((await result(asterisk))["text"]).startswith("distress.")


async def test_one_result_for_one_turn_and_late_distress_in_the_next() -> None:
    """The recogniser was first with a service; the sentence held more."""
    async with served(Writes(FALLEN, ""), Hears("打扫卫生", 1.0)) as worker, AeapSide(worker.port) as asterisk:
        worker.writes.go.clear()
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        await sentence(asterisk)
        assert (await asterisk.result())["text"] == "service.cleaning"
        worker.writes.go.set()
        await until(lambda: worker.hall.second and _late(worker))
        with pytest.raises(TimeoutError):  # no turn, no result
            await asterisk.said(within=0.2)
        await asterisk.turn("listen", "never")
        with pytest.raises(TimeoutError):  # no RECOGNIZE yet: Asterisk would throw it away
            await asterisk.said(within=0.2)
        assert str((await result(asterisk))["text"]).startswith("distress.")


def _late(worker: Served) -> bool:
    return len(worker.writes.lengths) >= 1 and worker.line._unanswered == 0


async def test_a_late_service_of_a_sentence_that_was_told_of_is_no_news() -> None:
    async with (
        served(Writes("我想请人来送饭", ""), Hears("打扫卫生", 1.0)) as worker,
        AeapSide(worker.port) as asterisk,
    ):
        worker.writes.go.clear()
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        await sentence(asterisk)
        assert (await asterisk.result())["text"] == "service.cleaning"
        worker.writes.go.set()
        await until(lambda: _late(worker))
        await asterisk.turn("listen", "never")
        with pytest.raises(TimeoutError):
            await result_within(asterisk, 0.6)
        assert worker.line.counts.second_told == 0


async def result_within(asterisk: AeapSide, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await result(asterisk)


async def test_a_service_waits_until_nobody_speaks_and_distress_does_not() -> None:
    for says, told in ((CLEANING, False), (FALLEN, True)):
        async with served(Writes(says, "")) as worker, AeapSide(worker.port) as asterisk:
            worker.writes.go.clear()
            await asterisk.set_up()
            await asterisk.turn("listen", "never")
            await sentence(asterisk)
            await asterisk.speech(1)
            worker.writes.go.set()
            await until(lambda: _late(worker))
            await asterisk.speech(0.4)
            if not told:
                with pytest.raises(TimeoutError):
                    await asterisk.said(within=0.2)
                assert worker.line.counts.second_told == 0
                await asterisk.sound(SILENT_PCM, 2.0)
                assert (await result(asterisk))["text"] == "service.cleaning"
            else:
                assert str((await asterisk.result())["text"]).startswith("distress.")


async def test_a_second_ear_that_dies_in_mid_sentence_leaves_the_recogniser_as_it_was() -> None:
    writes = Writes(FALLEN)
    writes.go.clear()
    async with served(writes, Hears("打扫卫生", 2.5)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        await asterisk.sound(SILENT_PCM, 0.4)
        await asterisk.speech(1.0)
        await worker.line.close()
        await asterisk.speech(1.0)
        await asterisk.sound(SILENT_PCM, 1.5)
        assert (await asterisk.result())["text"] == "service.cleaning"
        assert (worker.line.counts.second_sent, worker.line.counts.second_lost) == (0, 1)


async def test_a_second_ear_that_hangs_slows_nobody_down() -> None:
    writes = Writes(FALLEN)
    writes.go.clear()
    async with served(writes) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        for _ in range(3):
            await sentence(asterisk, 1.0)
        worker.recogniser.script = [Hears("救命", 0.5)]
        await sentence(asterisk, 2.0)
        assert (await asterisk.result())["text"] == "distress.help"
        assert worker.line.counts.second_sent >= 3


async def test_a_stream_that_ends_takes_its_sentences_with_it() -> None:
    writes = Writes(FALLEN)
    writes.go.clear()
    async with served(writes) as worker:
        async with AeapSide(worker.port) as asterisk:
            await asterisk.set_up()
            await asterisk.turn("listen", "never")
            await sentence(asterisk)
            await until(lambda: worker.line.counts.second_sent == 1)
        await until(lambda: worker.hall.slots.taken == 0)
        writes.go.set()
        await until(lambda: _late(worker))
        assert worker.line.counts.second_told == 0


async def test_a_result_that_came_between_two_rounds_is_told_again() -> None:
    """Sound goes on and nobody sets the grammar: Asterisk has thrown the first away."""
    async with served(Writes(""), Hears("救命", 1.0)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("listen", "never")
        await asterisk.speech(2)
        assert (await asterisk.result())["text"] == "distress.help"
        await asterisk.sound(SILENT_PCM, 0.7)
        assert (await asterisk.result())["text"] == "distress.help"
        assert worker.hall.counts.distress == 1
