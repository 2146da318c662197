"""One turn: when an utterance is over, and what is believed. Sound is syllables or silence, words come by script."""

from __future__ import annotations

import pytest

from ivr.speech.ear import UNKNOWN
from ivr.speech.grammar import load_grammar
from ivr.speech.turn import ANSWER_PAUSE_S, LONGEST_UTTERANCE_S, SENTENCE_PAUSE_S, UNKNOWN_SPEECH, Turn, Verdict
from ivr.speech.voice import Voice
from tests.doubles.aeap_side import SILENT_PCM, SPEECH_PCM
from tests.doubles.scripted_ear import Hears, ScriptedRecogniser

HUM = (b"\x40\x00" * 4 + b"\xc0\xff" * 4) * 20  # -54 dBFS


def speech(seconds: float) -> list[bytes]:
    return ([SPEECH_PCM] * 8 + [SILENT_PCM] * 2) * round(seconds * 5)


def silence(seconds: float) -> list[bytes]:
    return [SILENT_PCM] * round(seconds * 50)


def run(
    grammar: str, *script: Hears, sound: list[bytes], prompt_s: float | None = 0.0, voice: Voice | None = None
) -> Verdict | None:
    known = load_grammar(grammar)
    ear = ScriptedRecogniser(*script)
    turn = Turn(known, lambda: ear.open(known), prompt_s, voice)
    return next((verdict for frame in sound if (verdict := turn.feed(frame))), None)


def meaning(verdict: Verdict | None) -> str | None:
    return verdict and verdict.meaning


def test_an_answer_is_over_after_its_pause_and_not_in_its_gap() -> None:
    sound = silence(0.4) + speech(0.6) + silence(0.4) + speech(0.4) + silence(2)
    verdict = run("accept", Hears("好", 0.6), Hears("好的", 1.6), sound=sound)
    assert verdict is not None
    assert verdict.meaning == "accept"
    assert verdict.decided_s - verdict.said_until_s == pytest.approx(ANSWER_PAUSE_S, abs=0.05)
    assert verdict.said_until_s == pytest.approx(1.76, abs=0.05), "both words belong to it"


def test_who_looks_for_a_word_is_not_cut_short() -> None:
    sound = silence(0.4) + speech(0.6) + silence(0.9) + speech(0.6) + silence(2)
    verdict = run("services", Hears("助浴", 2.3), sound=sound)
    assert verdict is not None
    assert verdict.meaning == "service.bath"
    assert verdict.decided_s - verdict.said_until_s == pytest.approx(SENTENCE_PAUSE_S, abs=0.05)


def test_distress_waits_for_no_pause_and_no_prompt() -> None:
    verdict = run("yes_no", Hears("喘不上气", 0.8), sound=silence(0.4) + speech(3), prompt_s=20)
    assert meaning(verdict) == "distress.breath"
    assert verdict is not None
    assert verdict.decided_s < 2


def test_distress_in_a_long_lament_counts_where_only_people_answer() -> None:
    lament = silence(0.4) + speech(9)
    assert meaning(run("yes_no", Hears("喘不上气", 8), sound=lament)) == "distress.breath"
    assert meaning(run("listen", Hears("喘不上气", 8), sound=lament)) == "distress.breath"


def test_a_machines_greeting_is_not_believed_in_anything() -> None:
    greeting = silence(0.4) + speech(9) + silence(0.9) + speech(0.6) + silence(2)
    assert meaning(run("accept", Hears("喘不上气", 8), sound=greeting)) == UNKNOWN_SPEECH
    # The word after the pause too: the greeting itself is over before the prompt's end, and not told.
    verdict = run("accept", Hears("好的", 0.4), sound=greeting, prompt_s=10.5)
    assert verdict is not None
    assert (verdict.meaning, verdict.decided_s > 10.5) == (UNKNOWN_SPEECH, True)


def test_a_greeting_that_began_in_the_turn_before_is_still_a_greeting() -> None:
    voice = Voice()
    assert meaning(run("accept", Hears(UNKNOWN, 3), sound=silence(0.4) + speech(5) + silence(1), voice=voice))
    sound = speech(0.6) + silence(1)
    assert meaning(run("accept", Hears("好的", 0.5), sound=sound, voice=voice)) == UNKNOWN_SPEECH
    later = silence(1.6) + sound
    assert meaning(run("accept", Hears("好的", 2.1), sound=later, voice=voice)) == "accept", "a person waits for us"


def test_unknown_speech_is_told_after_the_prompt_only_or_never() -> None:
    sound = silence(0.4) + speech(0.8) + silence(2)
    assert meaning(run("accept", Hears(UNKNOWN, 0.8), sound=sound)) == UNKNOWN_SPEECH
    assert run("accept", Hears(UNKNOWN, 0.8), sound=sound, prompt_s=10) is None
    assert run("listen", Hears(UNKNOWN, 0.8), sound=sound, prompt_s=None) is None


def test_a_television_is_cut_and_judged() -> None:
    verdict = run("services", Hears(UNKNOWN, 1), sound=silence(0.4) + speech(LONGEST_UTTERANCE_S + 2))
    assert meaning(verdict) == UNKNOWN_SPEECH


def test_a_cough_is_no_failure_to_understand() -> None:
    sound = silence(0.4) + [SPEECH_PCM] * 8 + silence(2)
    assert run("accept", Hears(UNKNOWN, 0.5), sound=sound) is None


def test_hum_and_silence_are_nobody() -> None:
    for sound in ([HUM] * 300, silence(6), [SPEECH_PCM] * 300):
        voice = Voice()
        for frame in sound:
            voice.feed(frame)
        assert voice.began_s is None or sound[0] is SPEECH_PCM


def test_frames_of_any_length_are_the_same_sound() -> None:
    whole, pieces = Voice(), Voice()
    data = b"".join(silence(0.5) + speech(1) + silence(0.5))
    whole.feed(data)
    for at in range(0, len(data), 334):
        pieces.feed(data[at : at + 334])
    assert (whole.began_s, whole.last_s, whole.now_s) == (pieces.began_s, pieces.last_s, pieces.now_s)
