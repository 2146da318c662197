"""The second ear without its engine: utterances are cut, queued, answered later, and dropped when too many."""

from __future__ import annotations

import math
import threading
from array import array
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ivr.errors import SetupError
from ivr.speech import second_ear
from ivr.speech.ear import BYTES_PER_S, RATE, EarError
from ivr.speech.grammar import load_grammar
from ivr.speech.second_ear import MOST_WAITING, SecondEar, weights
from ivr.speech.utterances import LONGEST_S, Utterances

LISTEN = load_grammar("listen")


def _tone(seconds: float, loud: int = 6000) -> bytes:
    return array("h", [int(loud * math.sin(n / 3)) for n in range(round(seconds * RATE))]).tobytes()


def _silence(seconds: float) -> bytes:
    return bytes(round(seconds * BYTES_PER_S) // 2 * 2)


def _cut(sound: bytes, piece: int = 320) -> list[bytes]:
    cutter = Utterances()
    found = [cutter.feed(sound[at : at + piece]) for at in range(0, len(sound), piece)]
    return [one for one in [*found, cutter.finish()] if one]


class _Engine(SecondEar):
    """Everything but Whisper."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1)
        self._counting = threading.Lock()
        self._waiting = 0
        self.dropped = 0
        self.go = threading.Event()

    def write_down(self, pcm: bytes) -> str:
        self.go.wait(10)
        return "我摔倒了"


def test_an_utterance_ends_with_a_pause_and_keeps_its_beginning() -> None:
    (one,) = _cut(_silence(2) + _tone(1) + _silence(2))
    assert 1.2 < len(one) / BYTES_PER_S < 2.5


def test_a_breath_inside_a_sentence_does_not_cut_it() -> None:
    assert len(_cut(_tone(1) + _silence(0.5) + _tone(1) + _silence(2))) == 1


def test_two_sentences_are_two_utterances() -> None:
    assert len(_cut(_tone(1) + _silence(1.5) + _tone(1) + _silence(1.5))) == 2


def test_a_click_is_no_utterance_and_silence_none() -> None:
    assert _cut(_silence(3)) == []
    assert _cut(_silence(1) + _tone(0.06) + _silence(2)) == []


def test_a_story_without_a_pause_is_cut() -> None:
    found = _cut(_tone(2 * LONGEST_S + 1))
    assert len(found) == 3
    assert max(len(one) for one in found) <= (LONGEST_S + 0.1) * BYTES_PER_S


def test_pieces_of_any_size_give_the_same_utterance() -> None:
    sound = _silence(1) + _tone(1) + _silence(2)
    assert _cut(sound, 320) == _cut(sound, 1234)


def test_feeding_never_waits_and_the_text_comes_later() -> None:
    engine = _Engine()
    ear = engine.open(LISTEN)
    assert ear.feed(_tone(1) + _silence(2)) is None
    engine.go.set()
    heard = ear.finish()
    assert (heard.text, heard.final) == ("我摔倒了", True)
    with pytest.raises(EarError):
        ear.feed(_silence(1))
    engine.close()


def test_what_cannot_be_kept_up_with_is_dropped_and_counted() -> None:
    engine = _Engine()
    for _ in range(MOST_WAITING + 3):
        engine.open(LISTEN).feed(_tone(1) + _silence(2))
    assert engine.dropped == 3
    engine.go.set()
    engine.close()


def test_an_engine_that_fails_is_an_ear_error_without_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = _Engine()

    def fail(_pcm: bytes) -> str:
        raise ValueError("我摔倒了")

    monkeypatch.setattr(engine, "write_down", fail)
    ear = engine.open(LISTEN)
    with pytest.raises(EarError) as caught:  # noqa: PT012 - as soon as the engine has failed, whichever call meets it
        ear.feed(_tone(1) + _silence(2))
        ear.finish()
    assert "摔倒" not in str(caught.value)
    engine.close()


def test_missing_packages_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_ear, "PACKAGES", ("no_such_package_1", "no_such_package_2"))
    with pytest.raises(SetupError, match="second-ear"):
        weights(tmp_path)
    assert list(tmp_path.iterdir()) == []
