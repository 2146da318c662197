"""What an independent ear (Whisper, `python -m ivr.prompts.judge`) wrote down of every prompt, and the catalogue."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ivr.prompts import Prompt, load_catalogue
from ivr.prompts.judge import distance, misheard, syllables
from ivr.prompts.manifest import digest

PROMPTS = Path(__file__).parents[2] / "prompts"
CATALOGUE = load_catalogue(PROMPTS / "catalogue.toml")
HEARD = json.loads((PROMPTS / "zh_CN" / "heard.json").read_text(encoding="utf-8"))
WORST, SHORT = 0.16, 2
"""Of a prompt's syllables may be misheard; of a short one, so many."""
MEAN = 0.04
"""Over all prompts; the ear's own errors are in it (接听 as 接停)."""


def test_the_ear_judged_the_audio_that_is_played() -> None:
    assert HEARD.keys() == CATALOGUE.keys(), "run `python -m ivr.prompts.judge`"
    stale = [
        p.id for p in CATALOGUE.values() if HEARD[p.id]["audio_sha256"] != digest(p.audio_path(PROMPTS).read_bytes())
    ]
    assert not stale, "changed since: run `python -m ivr.prompts.judge`"


@pytest.mark.parametrize("prompt", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_a_stranger_s_ear_understands_it(prompt: Prompt) -> None:
    wrong, said = misheard(prompt, HEARD[prompt.id]["heard"])
    assert wrong <= max(SHORT, WORST * said), HEARD[prompt.id]["heard"]


def test_over_all_prompts_the_ear_misses_little() -> None:
    judged = [misheard(prompt, HEARD[prompt.id]["heard"]) for prompt in CATALOGUE.values()]
    assert sum(wrong for wrong, _ in judged) / sum(said for _, said in judged) <= MEAN


def test_the_measure_counts_what_is_misheard() -> None:
    assert syllables("幺二三四九，您好") == syllables("12349，你好")
    assert syllables("拨打幺二零") == syllables("波打120")
    assert distance(syllables("请按一"), syllables("请按一")) == 0
    assert distance(syllables("请按一"), syllables("请按")) == 1
    assert distance(syllables("请按一"), syllables("西按一")) == 1
    assert distance(syllables("请按一"), []) == 3
