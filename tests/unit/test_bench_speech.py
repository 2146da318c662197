"""What the measuring of speech makes of its counts; nothing is measured here."""

from __future__ import annotations

import asyncio
from collections import deque

import numpy as np
import pytest

from bench import report, speech, speech_line, speech_load, speech_material, speech_talk
from bench.speech_line import Said
from bench.speech_material import RATE, Utterance, _resampled


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


# ---- through the telephone


class HungUp:
    """A telephone whose call has ended: what it is given to say is never sent."""

    ended_by = "asterisk"

    def say(self, _alaw: bytes) -> None:
        pass

    def idle(self, _audio: bytes | None) -> None:
        pass

    async def said(self) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("before_s", [0.05, 1.8])
async def test_a_call_that_has_ended_keeps_nobody_waiting_and_leaves_the_rest_to_others(
    monkeypatch: pytest.MonkeyPatch, before_s: float
) -> None:
    monkeypatch.setattr(speech_line, "BEFORE_S", before_s)  # it ends while he speaks, or before
    monkeypatch.setattr(speech_line, "sound", lambda _one: bytes(3200))
    line = speech_line.Line(HungUp())  # type: ignore[arg-type]
    said = [Said(Utterance(text, "yes", "f3", "yes_no"), "yes_no") for text in ("好", "是", "对")]
    work, rows = deque(said), list[dict[str, object]]()
    asyncio.get_running_loop().call_later(0.2, line.over.set)
    async with asyncio.timeout(3):
        await speech_line._through(line, "unsent", work, rows, 3)
    assert [row["line"] for row in rows] == ["lost"]
    assert list(work) == said[1:]


def test_each_grammar_has_its_own_figures() -> None:
    yes, no = (Said(Utterance(text, meant, "f3", "yes_no"), "yes_no") for text, meant in (("好", "yes"), ("不", "no")))
    bath = Said(Utterance("洗澡", "service.bath", "f3", "services"), "services")
    stranger = Said(bath.one, "yes_no")
    filed = {yes: "yes", no: "no", bath: "service.bath", stranger: ""}
    rows = [
        {"said": one, "line": found, "late_s": 0.7}
        for one, found in ((yes, "yes"), (no, "unknown"), (bath, "service.bath"), (stranger, "yes"))
    ]
    found = speech_line.compared(filed, rows)
    assert (found["understood_by_line"], found["understood_by_file"], found["ratio"]) == (2, 3, 0.667)
    assert found["by_grammar"]["services"]["understood_by_line"] == 1
    assert found["by_grammar"]["yes_no"] == {
        "utterances": 2, "understood_by_file": 2, "understood_by_line": 1, "others": 1, "false_by_file": 0,
        "false_by_line": 1,
    }  # fmt: skip
    table = dict(row[:2] for row in report.rows({"speech-line": {"lines": {"steady": found}}}))
    assert table["… yes_no (steady line)"] == "1 ÷ 2 of 2, others accepted 1 ÷ 0 of 1"


def test_every_ratio_of_streams_is_named_and_the_workers_memory_is_its_own() -> None:
    memory = speech_load.worker_memory((130_000, 102_400), [(160_000, 122_880), (150_000, 120_000)], 4)
    assert (memory["empty_pss_mb"], memory["full_pss_mb"], memory["stream_mb"]) == (100.0, 120.0, 5.0)
    bare = {"one by one": 0.04, "in turn": 0.05, "in real time": 0.0625}
    part = {
        "line_streams_per_core": 12.5, "ratio": 0.78, "bare": bare, "streams": 4, "memory": memory,
        "ratio_of_each": {order: round(value * 12.5, 2) for order, value in bare.items()},
    }  # fmt: skip
    rows = report.rows({"speech-load": part})
    assert [said for _, said, _ in rows] == [
        "12 ÷ 25 = 0.50", "12 ÷ 20 = 0.62", "12 ÷ 16 = 0.78", "100 MB, with 4 streams 120 MB: 5.0 MB a stream",
    ]  # fmt: skip
    assert [name.rpartition(" library, ")[2].split(" ", 1)[1] for name, _, _ in rows[:3]] == [
        "one caller after another", "all in turn", "all in turn, in real time",
    ]  # fmt: skip
