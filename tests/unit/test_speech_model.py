"""The small model that comes with the project: it loads, takes a grammar, and hears voices it was not made from.

Clips in tests/data/speech are phrases of the hotline by voices kept for tests (Kokoro zf_xiaoni and zm_yunjian,
espeak-ng f3 and m2) through the telephone channel of `ivr.speech.making.channel`. They are chosen among those
that are heard: this shows that the model works, its README says how well.
"""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path

import pytest
import vosk

from ivr.prompts import alaw
from ivr.speech.making.texts import DIGITS, texts
from ivr.speech.making.voices import kept_for_tests

MODEL = Path(__file__).parents[2] / "ivr" / "speech" / "model"
CLIPS = Path(__file__).parents[1] / "data" / "speech"
SPOKEN: dict[str, str] = tomllib.loads((CLIPS / "clips.toml").read_text(encoding="utf-8"))
LARGEST = 14_000_000


@cache
def model() -> vosk.Model:
    vosk.SetLogLevel(-1)
    return vosk.Model(str(MODEL))


def heard(clip: str, phrases: list[str]) -> str:
    ear = vosk.KaldiRecognizer(model(), 8000, json.dumps(phrases, ensure_ascii=False))
    ear.AcceptWaveform(alaw.decode((CLIPS / f"{clip}.alaw").read_bytes()).tobytes())
    return str(json.loads(ear.FinalResult())["text"]).replace(" ", "")


def test_the_clips_are_those_that_are_listed() -> None:
    assert {path.stem for path in CLIPS.glob("*.alaw")} == SPOKEN.keys()
    assert all(kept_for_tests(clip.rsplit("-", 1)[0]) for clip in SPOKEN)


@pytest.mark.parametrize(("clip", "phrase"), SPOKEN.items(), ids=SPOKEN.keys())
def test_a_phrase_is_heard_among_forty(clip: str, phrase: str) -> None:
    others = [other for other in texts().domain if other not in DIGITS and other != phrase]
    assert heard(clip, [phrase, *others[:39]]) == phrase


def test_every_phrase_of_the_making_can_be_spelt_in_a_grammar() -> None:
    assert [sign for phrase in texts().phrases for sign in phrase if model().vosk_model_find_word(sign) < 0] == []
    assert [phrase for phrase in texts().domain if model().vosk_model_find_word(phrase) < 0] == []


def test_every_common_character_can_stand_in_a_grammar() -> None:
    common = [bytes([high, low]).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    assert [sign for sign in common if sign and model().vosk_model_find_word(sign) < 0] == []
    assert model().vosk_model_find_word("[unk]") >= 0


def test_the_model_is_small_and_says_what_it_is() -> None:
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < LARGEST
    assert (MODEL / "README.md") in files
