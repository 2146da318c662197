"""One turn: when an utterance is over, and what is believed. Sound is syllables or silence, words come by script."""

from __future__ import annotations

import random
from array import array

import pytest

from ivr.speech.ear import UNKNOWN
from ivr.speech.grammar import load_grammar
from ivr.speech.turn import (
    ANSWER_PAUSE_S,
    LEAD_S,
    LONGEST_UTTERANCE_S,
    SENTENCE_PAUSE_S,
    UNKNOWN_SPEECH,
    Turn,
    Verdict,
)
from ivr.speech.voice import Voice
from tests.doubles.aeap_side import SILENT_PCM, SPEECH_PCM
from tests.doubles.scripted_ear import Hears, ScriptedRecogniser

HUM = (b"\x40\x00" * 4 + b"\xc0\xff" * 4) * 20  # -54 dBFS


def speech(seconds: float) -> list[bytes]:
    return ([SPEECH_PCM] * 8 + [SILENT_PCM] * 2) * round(seconds * 5)


def silence(seconds: float) -> list[bytes]:
    return [SILENT_PCM] * round(seconds * 50)


def noise(seconds: float, dbfs: float = -46.0, seed: int = 1) -> list[bytes]:
    chance = random.Random(seed)
    level = 32768 * 10 ** (dbfs / 20)
    return [
        array("h", (round(chance.gauss(0, level)) for _ in range(160))).tobytes() for _ in range(round(seconds * 50))
    ]


def run(
    grammar: str,
    *script: Hears,
    sound: list[bytes],
    prompt_s: float | None = 0.0,
    voice: Voice | None = None,
    dictates: bool = False,
) -> Verdict | None:
    known = load_grammar(grammar)
    ear = ScriptedRecogniser(*script, dictates=dictates)
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


LOOKS_FOR_A_WORD = silence(0.4) + speech(0.6) + silence(0.8) + speech(0.6) + silence(2)
"""The engine ends the first piece by itself at 1.2 s of what it is given, 0.5 s into the pause."""


@pytest.mark.parametrize(
    ("grammar", "first", "then", "meant"),
    [
        ("services", "洗澡", "买菜", "service.shopping"),
        ("listen", "洗澡", "买菜", "service.shopping"),
        ("services", "洗澡", UNKNOWN, "service.bath"),
        ("people", "我儿子", "隔壁", "person.neighbour"),
    ],
)
def test_who_looks_for_a_word_is_not_cut_short_by_the_engine_either(
    grammar: str, first: str, then: str, meant: str
) -> None:
    verdict = run(grammar, Hears(first, 0.6, ends_s=1.2), Hears(then, 2.2), sound=LOOKS_FOR_A_WORD)
    assert verdict is not None
    assert verdict.meaning == meant
    assert verdict.decided_s - verdict.said_until_s == pytest.approx(SENTENCE_PAUSE_S, abs=0.05)
    assert verdict.said_until_s == pytest.approx(2.36, abs=0.05), "both pieces belong to it"


def test_a_number_that_the_engine_has_cut_in_two_is_told_whole() -> None:
    script = (Hears("幺三八", 0.6, ends_s=1.2), Hears("零零", 2.2))
    assert meaning(run("digits", *script, sound=LOOKS_FOR_A_WORD)) == "digits.13800"


def test_a_wish_that_the_engine_has_ended_counts_once_the_pause_is_over() -> None:
    sound = silence(0.4) + speech(0.6) + silence(3)
    verdict = run("services", Hears("洗澡", 0.6, ends_s=1.2), sound=sound)
    assert verdict is not None
    assert verdict.meaning == "service.bath"
    assert verdict.decided_s - verdict.said_until_s == pytest.approx(SENTENCE_PAUSE_S, abs=0.05)


def test_a_wish_before_endless_talk_counts_when_that_is_cut() -> None:
    on_and_on = silence(0.4) + speech(0.6) + silence(0.8) + speech(LONGEST_UTTERANCE_S + 2)
    verdict = run("services", Hears("洗澡", 0.6, ends_s=1.2), Hears(UNKNOWN, 4), sound=on_and_on)
    assert verdict is not None
    assert verdict.meaning == "service.bath"
    assert verdict.decided_s == pytest.approx(0.4 + LONGEST_UTTERANCE_S, abs=0.1)


@pytest.mark.parametrize("before", ["洗澡", "没有", UNKNOWN])
def test_distress_after_such_a_pause_waits_for_nothing_and_is_not_denied_by_what_was_before(before: str) -> None:
    sound = silence(0.4) + speech(0.6) + silence(0.8) + speech(3)
    script = (Hears("洗澡", 0.5), Hears(before, 0.6, ends_s=1.2), Hears("摔倒了", 2.2, ends_s=2.3))
    verdict = run("services", *script, sound=sound)
    assert verdict is not None
    assert (verdict.meaning, verdict.decided_s < 3) == ("distress.fall", True)


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
    assert meaning(run("accept", Hears("好的", 0.8), sound=later, voice=voice)) == "accept", "a person waits for us"


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


# ---- a line whose noise comes and goes with the voice


def test_noise_that_comes_on_is_nobody() -> None:
    for dbfs in (-55.0, -46.0, -38.0):
        voice = Voice()
        for frame in silence(2) + noise(1.5, dbfs):
            voice.feed(frame)
        assert voice.began_s is None, dbfs
        assert voice.pause_s > 1.4, dbfs
        for frame in speech(0.6) + noise(0.5, dbfs) + silence(0.5):
            voice.feed(frame)
        assert voice.began_s == pytest.approx(3.5, abs=0.05), dbfs
        assert voice.last_s == pytest.approx(4.06, abs=0.05), "and not the noise after him"


def test_a_held_cry_is_somebody() -> None:
    voice = Voice()
    for frame in silence(1) + [SPEECH_PCM] * 100:
        voice.feed(frame)
    assert (voice.began_s, voice.pause_s) == (pytest.approx(1.0, abs=0.05), 0)


def test_who_speaks_softly_is_not_taken_for_noise() -> None:
    soft = [bytes(array("h", (sample // 40 for sample in array("h", frame)))) for frame in speech(2)]
    voice = Voice()
    for frame in noise(1, -66) + soft:
        voice.feed(frame)
    assert voice.began_s == pytest.approx(1.0, abs=0.05)
    assert voice.pause_s < 0.1


def test_an_answer_that_the_engine_ends_in_the_noise_after_it_counts() -> None:
    switched = silence(2) + noise(0.3) + speech(0.6) + noise(0.5) + silence(1)
    verdict = run("accept", Hears("好的", 0.9, ends_s=1.1), sound=switched)
    assert meaning(verdict) == "accept"
    verdict = run("accept", Hears("好", 0.5, ends_s=0.7), Hears("好的", 0.9), sound=switched)
    assert meaning(verdict) == "accept", "said twice in one breath"


def test_an_answer_with_something_after_it_is_not_all_that_was_said() -> None:
    switched = silence(2) + noise(0.3) + speech(0.6) + noise(0.5) + silence(1)
    verdict = run("accept", Hears("好", 0.5, ends_s=0.7), Hears(UNKNOWN, 0.9), sound=switched)
    assert meaning(verdict) == UNKNOWN_SPEECH


# ---- what the recogniser is given


def test_the_lines_noise_is_not_given_to_the_recogniser() -> None:
    known = load_grammar("accept")
    ear = ScriptedRecogniser(Hears("好的", 0.7))
    turn = Turn(known, lambda: ear.open(known))
    for frame in noise(5):
        turn.feed(frame)
    assert (ear.opened, ear.heard_s) == ([], 0)
    verdict = next((verdict for frame in speech(0.6) + noise(2) if (verdict := turn.feed(frame))), None)
    assert meaning(verdict) == "accept"
    assert ear.heard_s == pytest.approx(LEAD_S + 0.6 + ANSWER_PAUSE_S, abs=0.1), "with a little before it"


def test_dead_silence_before_the_noise_is_not_given_either() -> None:
    known = load_grammar("accept")
    ear = ScriptedRecogniser(Hears("好的", 0.4))
    turn = Turn(known, lambda: ear.open(known))
    sound = silence(2) + noise(0.1) + speech(0.6) + silence(2)
    verdict = next((verdict for frame in sound if (verdict := turn.feed(frame))), None)
    assert meaning(verdict) == "accept"
    assert ear.heard_s == pytest.approx(0.1 + 0.6 + ANSWER_PAUSE_S, abs=0.05)


def test_a_cry_too_faint_to_be_an_utterance_is_heard() -> None:
    faint = noise(1, -62) + noise(0.3, -53) + noise(0.1, -62) + noise(0.3, -53) + noise(2, -62)
    voice = Voice()
    verdict = run("services", Hears("救命", 0.8), sound=faint, voice=voice)
    assert voice.began_s is None
    assert meaning(verdict) == "distress.help"


# ---- an ear that dictates


def test_dictated_distress_is_acted_on_while_he_talks_on() -> None:
    script = (Hears("我妈", 0.9), Hears("从床上", 1.4), Hears("摔倒了", 2.0), Hears("你们", 3.2))
    verdict = run("listen", *script, sound=silence(0.4) + speech(8), prompt_s=None, dictates=True)
    assert verdict is not None
    assert verdict.meaning == "distress.fall"
    assert 2.6 < verdict.decided_s < 3.2, "it has stood, and he still speaks"


def test_two_pieces_of_dictation_are_one_sentence() -> None:
    sound = silence(0.4) + speech(0.6) + silence(0.8) + speech(0.6) + silence(2)
    script = (Hears("我想西早", 0.6, ends_s=1.2), Hears("搭扫卫生", 2.2))
    verdict = run("services", *script, sound=sound, dictates=True)
    assert verdict is not None
    assert (verdict.meaning, verdict.said_until_s) == ("service.cleaning", pytest.approx(2.36, abs=0.05))
    assert meaning(run("services", *script, sound=sound)) == UNKNOWN_SPEECH, (
        "a grammar's ear writes no other characters"
    )
