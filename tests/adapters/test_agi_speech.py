"""A question by voice and keys, against Asterisk's side of a real socket: what RECOGNIZE may answer, and may not."""

from __future__ import annotations

import asyncio

import pytest

from ivr.asterisk.agi_call import AgiCall
from ivr.asterisk.agi_protocol import parse_reply
from ivr.asterisk.agi_speech import EarLost, said
from ivr.asterisk.fastagi import AgiServer, AgiSession
from ivr.callflows.call import Answer, CallerHungUp, Expect, Key, NoInput, NoMatch, Said
from tests.adapters.test_agi_server import port as _port
from tests.doubles.asterisk_side import AsteriskSide, greeting

port = _port
YES = '200 result=1 (speech) endpos=0 results=1 score0=87 text0="accept" grammar0=accept\n'
UNKNOWN = '200 result=1 (speech) endpos=0 results=1 score0=0 text0="unknown" grammar0=accept\n'
GONE = "200 result=1 (speech) endpos=0 results=0 \n"
SILENCE = "200 result=1 (timeout) endpos=0\n"
EXPECT = Expect("12", "accept")


class Line:
    """Answers each RECOGNIZE in turn, and every other command as `others` says."""

    def __init__(self, *recognised: str, engine: str | None = "urgent", **others: str) -> None:
        self.recognised = list(recognised)
        self.engine = engine
        self.others = {"SPEECH_CREATE": "200 result=1\n", "SPEECH_SET": "200 result=1\n", **others}
        self.set_takes_s = 0.0
        self.commands: list[str] = []
        self.result: Answer | type[CallerHungUp] | None = None

    async def asked(
        self, port: int, *, repeats: int = 2, expect: Expect = EXPECT, questions: int = 1
    ) -> Answer | type[CallerHungUp] | None:
        async def flow(session: AgiSession) -> None:
            call = AgiCall(session, lambda _prompt: 0.1, ears=lambda: self.engine)
            try:
                for _ in range(questions):
                    self.result = await call.ask("family/alarm", expect, within_s=0.1, repeats=repeats)
            except CallerHungUp:
                self.result = CallerHungUp

        async with AgiServer(port, flow), AsteriskSide(port) as asterisk:
            await asterisk.say(greeting())
            while line := await asterisk.command():
                self.commands.append(line)
                await asterisk.say((await self._answer(line)).encode())
        return self.result

    async def _answer(self, line: str) -> str:
        if line.startswith("SPEECH RECOGNIZE"):
            return self.recognised.pop(0) if self.recognised else SILENCE
        if line.startswith("SPEECH SET"):
            await asyncio.sleep(self.set_takes_s)
        for start, answer in self.others.items():
            if line.startswith(start.replace("_", " ")):
                return answer
        return "200 result=0\n"

    def count(self, start: str) -> int:
        return sum(line.startswith(start) for line in self.commands)


async def test_a_word_is_an_outcome_and_the_slot_is_given_back(port: int) -> None:
    line = Line(YES)
    assert await line.asked(port) == Said("accept", 87)
    assert line.commands == [
        'SET AUTOHANGUP "7"',
        'SPEECH CREATE "urgent"',
        'SET AUTOHANGUP "6"',
        'SPEECH SET "prompt_ms" "100"',
        'SPEECH SET "grammar" "accept"',
        'SET AUTOHANGUP "6"',
        'SPEECH RECOGNIZE "family/alarm" "1" "0"',
        "SPEECH DESTROY",
    ]


async def test_a_key_counts_as_it_always_did(port: int) -> None:
    assert await Line("200 result=1 (digit) digit=2 endpos=0\n").asked(port) == Key("2")


async def test_a_wrong_key_goes_on_in_the_same_turn(port: int) -> None:
    line = Line("200 result=1 (digit) digit=7 endpos=0\n", YES)
    assert await line.asked(port) == Said("accept", 87)
    assert line.count('SPEECH SET "grammar"') == 1


async def test_a_key_held_down_ends_somewhere(port: int) -> None:
    line = Line(*["200 result=1 (digit) digit=7 endpos=0\n"] * 100)
    assert await line.asked(port) == NoInput()
    assert line.count("SPEECH RECOGNIZE") <= 16


async def test_two_failures_to_understand_are_the_end_of_asking(port: int) -> None:
    line = Line(UNKNOWN, UNKNOWN, YES)
    assert await line.asked(port, repeats=3) == NoMatch()
    assert line.count("SPEECH RECOGNIZE") == 2


async def test_failures_are_counted_over_all_questions_of_a_call(port: int) -> None:
    line = Line(UNKNOWN, YES, UNKNOWN, YES)
    assert await line.asked(port, questions=2) == NoMatch(), "the second failure, though the first of its question"
    assert line.count("SPEECH RECOGNIZE") == 3
    line = Line(YES, UNKNOWN, YES)
    assert await line.asked(port, questions=2) == Said("accept", 87), "one failure is asked again"
    line = Line(UNKNOWN, UNKNOWN, SILENCE, YES)
    assert await line.asked(port, questions=2) == Said("accept", 87), "silence is none"


async def test_one_failure_and_then_silence_is_still_not_understood(port: int) -> None:
    assert await Line(UNKNOWN, SILENCE).asked(port) == NoMatch()
    assert await Line(SILENCE, SILENCE).asked(port) == NoInput()


@pytest.mark.parametrize("engine", [None, "urgent"])
async def test_without_a_recogniser_the_keys_ask(port: int, engine: str | None) -> None:
    line = Line(engine=engine, SPEECH_CREATE="200 result=0\n", STREAM_FILE="200 result=49 endpos=400\n")
    assert await line.asked(port) == Key("1")
    assert line.count("SPEECH CREATE") == (engine is not None)
    assert line.count("SPEECH RECOGNIZE") == 0


async def test_a_recogniser_that_is_lost_in_mid_question_leaves_the_keys(port: int) -> None:
    line = Line(GONE, STREAM_FILE="200 result=49 endpos=400\n")
    assert await line.asked(port) == Key("1")
    assert line.count("SPEECH SET") == 2, "a recogniser that is gone is not asked again"


@pytest.mark.parametrize("missing", ["none", "refused", "lost"])
async def test_what_is_asked_by_ear_only_is_not_asked_without_one(port: int, missing: str) -> None:
    refused = {"SPEECH_CREATE": "200 result=0\n"} if missing == "refused" else {}
    line = Line(GONE, engine=None if missing == "none" else "urgent", **refused)
    assert await line.asked(port, repeats=1, expect=Expect("1", "services", by_ear_only=True)) == NoInput()
    assert line.count("STREAM FILE") == 0, "he would wait for the end of a prompt that nobody listens to"
    assert line.count("SPEECH RECOGNIZE") == (missing == "lost")


async def test_a_recogniser_that_hangs_is_found_out_by_the_time_it_takes(port: int) -> None:
    line = Line(YES, STREAM_FILE="200 result=50 endpos=400\n")
    line.set_takes_s = 0.9
    assert await line.asked(port) == Key("2")
    assert (line.count("SPEECH SET"), line.count("SPEECH RECOGNIZE")) == (1, 0)


async def test_a_caller_who_hangs_up_in_mid_question_ends_it(port: int) -> None:
    assert await Line("200 result=1 (hangup) endpos=0\n").asked(port) is CallerHungUp
    assert await Line("HANGUP\n").asked(port) is CallerHungUp


@pytest.mark.parametrize("text", ['x" y', "../x", "accept\\", "救命", ""])
def test_what_is_no_id_of_ours_is_no_word(text: str) -> None:
    reply = parse_reply(f'200 result=1 (speech) endpos=0 results=1 score0=90 text0="{text}" grammar0=accept')
    assert reply is not None
    with pytest.raises(EarLost):
        said(reply)
