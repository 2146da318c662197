"""Every prompt has audio that agrees with its text and can be understood on a telephone. No synthesis here."""

from __future__ import annotations

import math
from array import array
from functools import cache
from pathlib import Path

import pytest

from ivr.prompts import Prompt, load_catalogue
from ivr.prompts.alaw import Measured, decode, encode, measure
from ivr.prompts.manifest import digest, read_manifest
from ivr.prompts.music import music_is_current

PROMPTS = Path(__file__).parents[2] / "prompts"
CATALOGUE = load_catalogue(PROMPTS / "catalogue.toml")
MANIFEST = read_manifest(PROMPTS)

every_prompt = pytest.mark.parametrize("prompt", CATALOGUE.values(), ids=CATALOGUE.keys())


@cache
def measured(path: Path) -> Measured:
    return measure(decode(path.read_bytes()))


def test_every_prompt_has_audio_and_every_audio_its_prompt() -> None:
    wanted = {prompt.audio_path(PROMPTS) for prompt in CATALOGUE.values()}
    found = {*(PROMPTS / "zh_CN").rglob("*.alaw"), *(PROMPTS / "demo").rglob("*.alaw")}
    assert found == wanted
    assert MANIFEST.keys() == CATALOGUE.keys()


@every_prompt
def test_the_audio_says_what_the_catalogue_says(prompt: Prompt) -> None:
    assert MANIFEST[prompt.id].agrees_with(prompt), "changed text: run `ivr prompts build`"
    assert digest(prompt.audio_path(PROMPTS).read_bytes()) == MANIFEST[prompt.id].audio_sha256


@every_prompt
def test_it_is_loud_enough_and_never_clipped(prompt: Prompt) -> None:
    sound = measured(prompt.audio_path(PROMPTS))
    assert -20 <= sound.speech_dbfs <= -18
    assert sound.peak_dbfs <= -1.5
    assert sound.clipped == 0


@every_prompt
def test_it_begins_at_once_and_is_spoken_at_a_pace_one_can_follow(prompt: Prompt) -> None:
    sound = measured(prompt.audio_path(PROMPTS))
    assert sound.lead_ms <= 60
    assert sound.tail_ms <= 200
    assert sound.longest_gap_ms <= 800
    assert 2.5 <= prompt.characters / sound.seconds <= 5.5


@every_prompt
def test_who_calls_for_help_and_their_families_are_spoken_to_slowly(prompt: Prompt) -> None:
    """Ordinary Mandarin is 4.5 to 5.5 syllables a second with its pauses; ours are 2.8 to 3.9."""
    if prompt.id.startswith("demo/") or not any(word in prompt.who for word in ("elder", "caller", "family")):
        return
    assert prompt.characters / measured(prompt.audio_path(PROMPTS)).seconds <= 4.0


def test_the_first_words_are_short() -> None:
    assert measured(CATALOGUE["hotline/greeting"].audio_path(PROMPTS)).seconds <= 3.5
    assert measured(CATALOGUE["emergency/help_is_coming"].audio_path(PROMPTS)).seconds <= 4.0


def test_music_on_hold_speaks_the_present_prompts() -> None:
    assert music_is_current(PROMPTS), "run `ivr prompts build`"


@pytest.mark.parametrize(("name", "longest"), [("queue", 90), ("emergency", 45)])
def test_music_on_hold_is_never_silent_for_long(name: str, longest: float) -> None:
    sound = measured(PROMPTS / "moh" / f"{name}.alaw")
    assert 20 <= sound.seconds <= longest
    assert sound.longest_gap_ms <= 1200
    assert sound.peak_dbfs <= -1.5


def test_alaw_is_the_standard_s() -> None:
    assert encode([0, 32767, -32768, 1000, -1000]) == bytes([0xD5, 0xAA, 0x2A, 0xFA, 0x7A])
    codes = bytes(range(256))
    assert encode(decode(codes)) == codes


@pytest.mark.parametrize("dbfs", [-40.0, -19.0, -6.0])
def test_the_measure_knows_a_tone_s_level_between_silences(dbfs: float) -> None:
    quiet = [0] * 4000
    loudness = 32768 * 10 ** (dbfs / 20) * math.sqrt(2)
    tone = [round(loudness * math.sin(math.tau * 1000 * n / 8000)) for n in range(16000)]
    sound = measure(array("h", [*quiet, *tone, *quiet]))
    assert sound.speech_dbfs == pytest.approx(dbfs, abs=0.6)
    assert (sound.lead_ms, sound.tail_ms) == (500, 500)


def test_silence_measures_as_silence() -> None:
    sound = measure(array("h", [0] * 8000))
    assert sound.speech_dbfs == -math.inf
    assert sound.lead_ms == 1000
