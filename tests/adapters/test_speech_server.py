"""A speech worker against Asterisk's side of a real socket: turns, slots, and what a stranger may send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web

from ivr.speech.ear import UNKNOWN
from ivr.speech.grammar import grammar_names, load_grammar
from ivr.speech.server import open_server
from ivr.speech.slots import Slots
from ivr.speech.stream import Counts, Hall
from tests.doubles.aeap_side import SILENT_PCM, SPEECH_PCM, AeapSide
from tests.doubles.patience import until
from tests.doubles.scripted_ear import Hears, ScriptedRecogniser

GRAMMARS = {name: load_grammar(name) for name in grammar_names()}


@dataclass
class Served:
    port: int
    hall: Hall
    ear: ScriptedRecogniser


@asynccontextmanager
async def served(*script: Hears, slots: int = 4, kept: int = 1) -> AsyncIterator[Served]:
    ear = ScriptedRecogniser(*script)
    with ThreadPoolExecutor(2, thread_name_prefix="ear") as threads:
        hall = Hall(ear, GRAMMARS, Slots(slots, kept), threads, Counts())
        runner = await open_server(hall)
        site = web.SockSite(runner, _listening())
        await site.start()
        try:
            yield Served(site._sock.getsockname()[1], hall, ear)
        finally:
            await runner.cleanup()


def _listening():  # type: ignore[no-untyped-def]
    import socket

    return socket.create_server(("127.0.0.1", 0))


async def test_a_short_answer_is_told_when_the_speaker_has_fallen_silent() -> None:
    async with served(Hears("马上来", 0.5)) as worker, AeapSide(worker.port) as asterisk:
        assert (await asterisk.set_up())["codecs"] == [{"name": "slin"}]
        await asterisk.turn("accept")
        await asterisk.sound(SILENT_PCM, 0.2)
        await asterisk.speech(0.8)
        with pytest.raises(TimeoutError):
            await asterisk.said(within=0.3)
        assert worker.hall.counts.understood == 0, "he may still be talking"


async def heard(
    asterisk: AeapSide, worker: Served, *, speech_s: float = 0.8, silence_s: float = 1.5
) -> dict[str, object]:
    await asterisk.sound(SILENT_PCM, 0.2)
    await asterisk.speech(0.8)
    await asterisk.sound(SILENT_PCM, 1.5)
    return await asterisk.result()


async def test_the_result_is_an_id_of_the_grammar_and_never_what_was_said() -> None:
    async with served(Hears("马上来", 0.5, 0.87)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("accept")
        assert await heard(asterisk, worker) == {"text": "accept", "score": 87, "grammar": "accept", "best": 0}
        assert all(name.startswith("ear") for name in worker.ear.threads), "never in the event loop"


@pytest.mark.parametrize("grammar", ["accept", "services"])
async def test_who_sends_nothing_while_silent_has_finished_too(grammar: str) -> None:
    """A telephone with voice detection: after the last word no sound comes at all."""
    async with served(Hears("救命", 0.5)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn(grammar)
        await asterisk.speech(0.6)
        assert (await asterisk.result(within=2.5))["text"] == "distress.help"


async def test_who_sends_nothing_between_two_answers_has_paused() -> None:
    """And is no answering machine, which speaks on and on."""
    async with served(Hears("好的", 0.5), Hears(UNKNOWN, 0.6)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        for _ in range(4):  # 1.2 s each: together longer than anybody speaks who waits for an answer
            await asterisk.turn("accept")
            await asterisk.speech(1.2)
            assert (await asterisk.result(within=2.5))["text"] == "unknown"
        worker.ear.script = [Hears("好的", 0.5)]
        await asterisk.turn("accept")
        await asyncio.sleep(1.6)
        await asterisk.speech(0.6)
        assert (await asterisk.result(within=2.5))["text"] == "accept"


async def test_distress_is_told_in_mid_word_whatever_was_asked() -> None:
    async with served(Hears("救命", 0.4)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("accept", prompt_ms="10000")
        await asterisk.speech(1.4)  # still speaking, and the prompt still plays
        assert (await asterisk.result())["text"] == "distress.help"


async def test_unknown_speech_is_told_once_the_prompt_is_over_and_not_before() -> None:
    async with served(Hears(UNKNOWN, 0.3)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("accept")
        assert (await heard(asterisk, worker))["text"] == "unknown"
        await asterisk.turn("accept", prompt_ms="60000")
        await asterisk.speech(0.8)
        await asterisk.sound(SILENT_PCM, 1.5)
        await until(lambda: worker.ear.finished == 2)  # the utterance was judged
        with pytest.raises(TimeoutError):
            await asterisk.said(within=0.3)


async def test_noise_without_words_is_nothing() -> None:
    async with served() as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("accept")
        await asterisk.speech(1.0)
        await asterisk.sound(SILENT_PCM, 1.5)
        await until(lambda: worker.ear.finished == 1)
        with pytest.raises(TimeoutError):
            await asterisk.said(within=0.3)


async def test_who_talks_on_and_on_accepts_nothing() -> None:
    """An answering machine: eight seconds of speech, a pause, and then a word of the grammar."""
    async with served(Hears("好的", 9.0)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("accept")
        await asterisk.speech(8.5)
        await asterisk.sound(SILENT_PCM, 0.3)
        await asterisk.speech(0.5)
        await asterisk.sound(SILENT_PCM, 1.5)
        assert (await asterisk.result())["text"] == "unknown"


async def test_a_new_turn_forgets_what_was_said_before_it() -> None:
    async with served(Hears("马上来", 0.5)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        await asterisk.turn("accept")
        await asterisk.speech(0.8)
        await asterisk.turn("accept")
        await asterisk.sound(SILENT_PCM, 1.5)
        with pytest.raises(TimeoutError):
            await asterisk.said(within=0.5)
        assert worker.hall.counts.turns == 2


async def test_a_full_worker_says_so_at_setup_and_keeps_a_place_for_emergencies() -> None:
    async with (
        served(slots=3, kept=1) as worker,
        AeapSide(worker.port) as first,
        AeapSide(worker.port) as second,
        AeapSide(worker.port) as third,
        AeapSide(worker.port, "/urgent") as urgent,
        AeapSide(worker.port, "/urgent") as late,
    ):
        assert "error_msg" not in await first.set_up()
        assert "error_msg" not in await second.set_up()
        assert (await third.set_up())["error_msg"] == "no free slot"
        assert await third.closed(), "Asterisk's reader thread ends only when we close"
        assert "error_msg" not in await urgent.set_up()
        assert (await late.set_up())["error_msg"] == "no free slot"
        await first.ws.close()
        await until(lambda: worker.hall.slots.taken == 2)
        assert worker.hall.counts.refused == 2


async def test_slots_come_back_however_a_stream_ends() -> None:
    async with served(slots=2, kept=0) as worker:
        for ending in ("close", "abort", "nonsense"):
            async with AeapSide(worker.port) as asterisk:
                await asterisk.set_up()
                assert worker.hall.slots.taken == 1
                if ending == "abort":
                    asterisk.ws._response.connection.transport.abort()  # type: ignore[union-attr]
                elif ending == "nonsense":
                    await asterisk.ws.send_str("{")
            await until(lambda: worker.hall.slots.taken == 0)


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "5", "null", '"setup"', "{}", '{"request":"setup"}', '{"request":5,"id":"1"}',
        '{"request":"setup","id":""}', '{"request":"fly","id":"1"}', '{"request":"get","id":"1","params":{}}',
        '{"request":"setup","id":"1","codecs":[]}', '{"request":"setup","id":"1","codecs":[{"name":"opus"}]}',
        '{"request":"setup","id":"1","codecs":[{"name":"slin"}],"params":7}', "[" * 50_000,
    ],
)  # fmt: skip
async def test_what_is_no_setup_gets_one_clear_error_and_harms_nobody(text: str) -> None:
    async with served(Hears("马上来", 0.5)) as worker, AeapSide(worker.port) as good:
        await good.set_up()
        await good.turn("accept")
        async with AeapSide(worker.port) as bad:
            await bad.ws.send_str(text)
            answer = await bad.said()
            assert answer["error_msg"]
            assert "api" not in json.dumps(answer)
            assert await bad.closed()
        assert (await heard(good, worker))["text"] == "accept"
        assert worker.hall.slots.taken == 1


@pytest.mark.parametrize(
    "params",
    [{"grammar": "no_such"}, {"grammar": "../../secrets"}, {"grammar": 5}, {"prompt_ms": "-1"}, {"prompt_ms": "1e9"},
     {"prompt_ms": None}, {"shell": "x"}],
)  # fmt: skip
async def test_a_wrong_setting_is_refused_and_the_stream_goes_on(params: dict[str, object]) -> None:
    async with served(Hears("马上来", 0.5)) as worker, AeapSide(worker.port) as asterisk:
        await asterisk.set_up()
        assert (await asterisk.ask("set", params=params))["error_msg"]
        await asterisk.turn("accept")
        assert (await heard(asterisk, worker))["text"] == "accept"


async def test_sound_before_setup_and_too_large_a_message_end_only_their_stream() -> None:
    async with served() as worker, AeapSide(worker.port) as good:
        await good.set_up()
        async with AeapSide(worker.port) as bad:
            await bad.ws.send_bytes(SPEECH_PCM)
            assert (await bad.said())["error_msg"] == "sound before setup"
        async with AeapSide(worker.port) as bad:
            await bad.set_up()
            await bad.ws.send_bytes(bytes(100_000))
            assert await bad.closed()
        assert (await good.ask("get", params=["results"]))["params"] == {"results": []}
        await until(lambda: worker.hall.slots.taken == 1)


async def test_who_is_not_asterisk_gets_a_page_and_no_stream() -> None:
    async with served() as worker:
        for path, protocol in (("/", "speech_to_text"), ("/urgent", "chat")):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with AeapSide(worker.port, path, protocol):
                    pass
        assert worker.hall.slots.taken == 0


async def test_who_sends_nothing_is_let_go() -> None:
    async with served() as worker, AeapSide(worker.port) as silent:
        assert (await silent.said(within=4))["error_msg"] == "no setup in time"


async def test_an_ear_that_fails_ends_its_turn_and_nobody_elses() -> None:
    async with served(Hears("马上来", 0.5)) as worker, AeapSide(worker.port) as one, AeapSide(worker.port) as other:
        worker.ear.fails_at_s = 0.3
        await one.set_up()
        await one.turn("accept")
        await one.speech(0.6)
        await until(lambda: worker.hall.counts.faults == 1)
        worker.ear.fails_at_s = None
        await other.set_up()
        await other.turn("accept")
        assert (await heard(other, worker))["text"] == "accept"


async def test_more_sound_than_a_slow_ear_takes_is_dropped_at_its_old_end() -> None:
    async with served() as worker, AeapSide(worker.port) as asterisk:
        worker.ear.slow_s = 0.5
        asterisk.pace = 0
        await asterisk.set_up()
        await asterisk.turn("accept")
        await asterisk.speech(12)
        await until(lambda: worker.hall.counts.dropped_s > 5)
