"""What the measuring of speech makes of its counts; nothing is measured here."""

from __future__ import annotations

import numpy as np
import pytest

from bench import report, speech, speech_material, speech_talk
from bench.speech_material import RATE, _resampled


def alarms(*which: str) -> dict[str, object]:
    return {"minutes": 30.0, "seconds": 1800.0, "false_alarms": len(which), "services": 1, "which": list(which)}


def test_a_sentence_that_either_of_two_took_for_distress_is_one_false_alarm() -> None:
    both = speech_talk.either([alarms("f3 甲→distress.fall", "f3 乙→distress.fire"), alarms("f3 甲→distress.help")])
    assert (both["false_alarms"], both["per_hour"]) == (2, 4.0)


def test_two_ears_are_counted_together_where_both_are_here() -> None:
    assert speech.together(["vosk", "dictation"]) == {}
    assert speech.together(["vosk", "dictation", "second"]) == speech.TOGETHER


def test_missing_audio_is_said_in_the_results_and_in_the_table(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_material, "CACHE", tmp_path)
    monkeypatch.setattr(speech_material.shutil, "which", lambda _name: None)
    result = speech.run_here(quick=True)
    assert result == {"missing": "audio: no espeak-ng"}
    rows = report.rows({"speech": result, "speech-line": result, "speech-load": result})
    assert [said for _, said, _ in rows] == ["no audio: no espeak-ng"] * 3


def test_a_fresh_checkout_makes_espeaks_audio_once(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    one = speech_material.Utterance("好", "yes", "f3", "yes_no")
    monkeypatch.setattr(speech_material, "CACHE", tmp_path)
    monkeypatch.setattr(speech_material.shutil, "which", lambda _name: "/usr/bin/espeak-ng")
    monkeypatch.setattr(speech_material, "everything", lambda: [one])
    asked: list[str] = []

    def says(utterance: speech_material.Utterance) -> tuple[np.ndarray, int]:
        asked.append(utterance.text)
        return np.zeros(22050), 22050

    monkeypatch.setattr(speech_material, "_espeak", says)
    assert [speech_material.no_audio(), speech_material.no_audio()] == ["", ""]
    assert (asked, len(speech_material.read(one.path))) == (["好"], RATE)


def test_sound_keeps_its_pitch_and_loudness_and_loses_what_a_telephone_cannot_carry() -> None:
    rate = 22050
    time = np.arange(rate) / rate
    low, high = np.sin(2 * np.pi * 1000 * time), np.sin(2 * np.pi * 6000 * time)
    found = _resampled(0.5 * low + 0.5 * high, rate)
    assert len(found) == RATE
    assert np.allclose(found, 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE), atol=0.01)
