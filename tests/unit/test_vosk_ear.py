"""Real recognitions with the small model, at speed. The audio is the demonstration's, out of the repository."""

from __future__ import annotations

import json
import random
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ivr.errors import SetupError
from ivr.prompts.alaw import decode
from ivr.speech.ear import BYTES_PER_S, UNKNOWN, Ear, EarError, Hypothesis
from ivr.speech.grammar import Grammar, load_grammar
from ivr.speech.turn import Turn
from ivr.speech.understand import understand
from ivr.speech.vosk_ear import VoskRecogniser, shared_recogniser

PROJECT = Path(__file__).resolve().parents[2]
MODEL = PROJECT / "ivr" / "speech" / "model"


@pytest.fixture(scope="module")
def recogniser() -> VoskRecogniser:
    return shared_recogniser(MODEL)


def _sound(name: str) -> bytes:
    samples = decode((PROJECT / "prompts" / f"{name}.alaw").read_bytes())
    return array("h", [0] * 2400).tobytes() + samples.tobytes() + array("h", [0] * 6400).tobytes()


def _ids(recogniser: VoskRecogniser, grammar: Grammar, pcm: bytes) -> list[str]:
    ear = recogniser.open(grammar)
    heard = [ear.feed(pcm[at : at + BYTES_PER_S // 10]) for at in range(0, len(pcm), BYTES_PER_S // 10)]
    found = (understand(grammar, one) for one in [*heard, ear.finish()] if one)
    return [one.id for one in found if one]


def test_a_grammar_is_split_into_the_models_words_and_written_plainly(recogniser: VoskRecogniser) -> None:
    assert recogniser.split("救命") is not None
    assert (recogniser.split("喘不上气") or "").replace(" ", "") == "喘不上气"
    assert recogniser.split("救命㐂") is None
    written = recogniser.grammar_json(load_grammar("yes_no"))
    assert "\\u" not in written
    assert UNKNOWN in json.loads(written)


def test_hardly_a_word_of_the_grammars_is_unknown_to_the_model(recogniser: VoskRecogniser) -> None:
    grammar = load_grammar("listen")
    assert len(recogniser.unspeakable(grammar)) <= len(grammar.phrases) // 100


def test_silence_is_nothing(recogniser: VoskRecogniser) -> None:
    assert _ids(recogniser, load_grammar("yes_no"), bytes(3 * BYTES_PER_S)) == []


@pytest.mark.parametrize("name", ["demo/voicemail", "zh_CN/family/alarm", "zh_CN/hotline/greeting"])
def test_a_voicemail_or_a_prompt_accepts_nothing(recogniser: VoskRecogniser, name: str) -> None:
    assert "accept" not in _ids(recogniser, load_grammar("accept"), _sound(name))


def test_an_ordinary_wish_is_no_distress(recogniser: VoskRecogniser) -> None:
    found = _ids(recogniser, load_grammar("listen"), _sound("demo/elder_call"))
    assert not [one for one in found if one.startswith("distress.")]


def _clip(name: str) -> bytes:
    return decode((PROJECT / "tests" / "data" / "speech" / f"{name}.alaw").read_bytes()).tobytes()


def _hiss(seconds: float) -> bytes:
    """A line on which nobody speaks."""
    chance = random.Random(1)
    return array("h", (round(chance.gauss(0, 20)) for _ in range(round(seconds * BYTES_PER_S / 2)))).tobytes()


def test_a_wish_that_is_corrected_after_a_pause_of_eight_tenths_is_the_later_one(recogniser: VoskRecogniser) -> None:
    grammar = load_grammar("services")
    sound = _hiss(0.5) + _clip("f3-2") + _hiss(0.6) + _clip("m2-2") + _hiss(2)  # 洗澡 … 买菜; the clips end in silence
    ended: list[str] = []
    turn = Turn(grammar, lambda: _Overheard(recogniser.open(grammar), ended))
    pieces = (sound[at : at + 1600] for at in range(0, len(sound), 1600))
    verdict = next(verdict for piece in pieces if (verdict := turn.feed(piece)))
    assert ended[:2] == ["洗澡", "买菜"], "the engine ended the utterance in its middle"
    assert verdict.meaning == "service.shopping"


class _Overheard:
    """An ear, and the utterances that it has ended by itself."""

    def __init__(self, ear: Ear, ended: list[str]) -> None:
        self._ear, self._ended = ear, ended

    def feed(self, pcm: bytes) -> Hypothesis | None:
        heard = self._ear.feed(pcm)
        if heard and heard.final:
            self._ended.append(heard.text)
        return heard

    def finish(self) -> Hypothesis:
        return self._ear.finish()


def test_the_turns_that_dictate_have_no_grammar(recogniser: VoskRecogniser) -> None:
    dictates = VoskRecogniser(MODEL, lambda grammar: grammar.name == "listen")
    sound = _clip("calls/fallen_bed") + bytes(BYTES_PER_S)
    listen, accept = load_grammar("listen"), load_grammar("accept")
    heard = _final(dictates, listen, sound)
    assert heard.dictated
    assert {word.text for word in heard.words} - set(listen.phrases), "words that stand in no grammar"
    assert (found := understand(listen, heard)) is not None
    assert found.id == "distress.stroke"
    assert not _final(dictates, accept, sound).dictated
    closed = _final(recogniser, listen, sound)
    assert not closed.dictated
    assert {word.text for word in closed.words} <= {*listen.phrases, UNKNOWN, "说不出话"}, "its own words only"


def test_streams_beside_each_other_hear_what_they_hear_alone(recogniser: VoskRecogniser) -> None:
    """The words: Kaldi dithers its input, so that confidences differ from one time to the next."""
    grammar, pcm = load_grammar("listen"), _clip("calls/fallen_bed") + bytes(BYTES_PER_S)
    alone = _final(recogniser, grammar, pcm).text
    assert alone.endswith("说不出话")
    with ThreadPoolExecutor(4) as pool:
        assert [one.text for one in pool.map(lambda _: _final(recogniser, grammar, pcm), range(4))] == [alone] * 4


def _final(recogniser: VoskRecogniser, grammar: Grammar, pcm: bytes) -> Hypothesis:
    ear = recogniser.open(grammar)
    ear.feed(pcm)
    return ear.finish()


def test_an_ear_that_has_finished_hears_no_more(recogniser: VoskRecogniser) -> None:
    ear = recogniser.open(load_grammar("yes_no"))
    assert ear.finish().final
    with pytest.raises(EarError):
        ear.feed(bytes(320))


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="not a Vosk model"):
        VoskRecogniser(tmp_path)
