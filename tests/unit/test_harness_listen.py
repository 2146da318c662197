"""提示音识别的把握有多大。How sure "this prompt was heard" is: same prompts near 1, other prompts near 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.calls.harness.g711 import RATE, Pcm, decode_alaw, decode_ulaw, encode_alaw
from tests.calls.harness.listen import SAME, best_prompt, find_prompt
from tests.calls.harness.pretend_speech import speech

PROMPTS = [speech(seed, 4.0) for seed in range(10)]
REAL = sorted((Path(__file__).parents[2] / "prompts/zh_CN").rglob("*.alaw"))
SILENCE = np.zeros(9001, np.int16)


def over_the_line(pcm: Pcm) -> Pcm:
    return decode_alaw(encode_alaw(pcm.astype(np.int16)))


def noisy(pcm: Pcm, dbfs: float) -> Pcm:
    noise = np.random.default_rng(1).normal(0, 10 ** (dbfs / 20) * 32768, len(pcm))
    return over_the_line(np.clip(pcm + noise, -32000, 32000))


def holes(pcm: Pcm) -> Pcm:
    line = pcm.copy()
    for frame in np.random.default_rng(2).integers(0, len(line) // 160, len(line) // 160 // 50):
        line[frame * 160 : (frame + 1) * 160] = 0
    return line


@pytest.mark.parametrize("prompt", [*PROMPTS[:4], *(path.read_bytes() for path in REAL[:4])])
def test_the_same_prompt_is_known_whatever_the_line_did(prompt: bytes) -> None:
    pcm = decode_alaw(prompt)
    line = np.concatenate((SILENCE, pcm, SILENCE))
    for heard in (line, over_the_line(line // 8), noisy(line, -45), holes(line)):
        match = find_prompt(heard, prompt)
        assert match.score > 0.93
        assert abs(match.at_s - 9001 / RATE) < 0.001
        assert match.whole


@pytest.mark.parametrize("prompt", PROMPTS[:4])
def test_part_of_a_prompt(prompt: bytes) -> None:
    pcm = decode_alaw(prompt)
    interrupted = find_prompt(np.concatenate((SILENCE, pcm[: 3 * RATE], SILENCE)), prompt)
    assert interrupted.score > 0.99
    assert 2.0 <= interrupted.heard_s <= 3.0
    assert not interrupted.whole
    begun_late = find_prompt(pcm[RATE * 4 // 10 :], prompt)
    assert begun_late.score > 0.99
    assert abs(begun_late.at_s + 0.4) < 0.001


@pytest.mark.parametrize(
    "prompt", [path.read_bytes() for path in REAL if path.parts[-2] == "duty" and path.stat().st_size > 20_000]
)
def test_a_line_that_slipped_by_a_frame_is_still_the_prompt(prompt: bytes) -> None:
    pcm, frame = decode_alaw(prompt), np.zeros(160, np.int16)
    line = np.concatenate((SILENCE, pcm[:9600], frame, pcm[9600:], SILENCE))
    assert find_prompt(line, prompt).found


def test_other_prompts_are_not_found() -> None:
    for n, heard in enumerate(PROMPTS):
        line = np.concatenate((SILENCE, decode_alaw(heard)))
        scores = [find_prompt(line, other).score for m, other in enumerate(PROMPTS) if m != n]
        assert max(scores) < 0.3 < SAME - 0.2


def test_nothing_is_found_in_nothing() -> None:
    hiss = np.random.default_rng(3).integers(-8, 8, 5 * RATE).astype(np.int16)
    for heard in (np.zeros(0, np.int16), np.zeros(5 * RATE, np.int16), hiss):
        assert find_prompt(heard, PROMPTS[0]).score < 0.1


def test_prompts_that_begin_alike_are_told_apart_by_how_far_they_were_heard() -> None:
    long, short = PROMPTS[0] + PROMPTS[1], PROMPTS[0] + PROMPTS[2]
    line = np.concatenate((SILENCE, decode_alaw(short)))
    assert find_prompt(line, long).found
    assert not find_prompt(line, long).whole
    assert best_prompt(line, {"long": long, "short": short})[0] == "short"


def test_each_real_prompt_is_taken_for_itself() -> None:
    chosen = {str(path): path for path in REAL[:: max(1, len(REAL) // 7)]}
    for name, path in chosen.items():
        line = np.concatenate((SILENCE, decode_alaw(path.read_bytes()), SILENCE))
        found, match = best_prompt(line, dict(chosen))
        assert found == name
        assert match.whole


def test_g711_keeps_every_code() -> None:
    codes = bytes(range(256))
    assert encode_alaw(decode_alaw(codes)) == codes
    assert decode_alaw(b"\xd5\x55\xaa\x2a").tolist() == [8, -8, 32256, -32256]
    assert decode_ulaw(b"\xff\x00\x80").tolist() == [0, -32124, 32124]
