"""The ear of `bench/journeys`: a tone is found in a mixture, and no prompt, no music and no voice is taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.journeys import tones
from tests.calls.harness.g711 import decode_alaw, encode_alaw
from tests.calls.harness.recording import PCMA, Packet

PROMPTS = Path(__file__).parents[2] / "prompts"
ALL = (tones.ELDER, tones.SEAT, tones.ORDINARY, *tones.RELATIVES)


def packets(audio: bytes) -> list[Packet]:
    frames = [audio[at : at + 160] for at in range(0, len(audio) - 159, 160)]
    return [Packet(n * 0.02, n, n * 160, PCMA, 1, frame) for n, frame in enumerate(frames)]


@pytest.mark.parametrize("hertz", ALL)
def test_no_prompt_no_music_and_no_voice_is_taken_for_a_tone(hertz: int) -> None:
    files = sorted(PROMPTS.rglob("*.alaw"))
    assert len(files) > 60
    wrong = [file.name for file in files if tones.first(packets(file.read_bytes()), hertz, 0) is not None]
    assert wrong == []


@pytest.mark.parametrize("hertz", ALL)
def test_it_is_found_to_the_packet_among_all_others(hertz: int) -> None:
    others = sum(decode_alaw(tones.tone(one, 1.0)).astype(int) // 2 for one in ALL if one != hertz)
    mixed = np.array(others)
    mixed[25 * 160 :] += decode_alaw(tones.tone(hertz, 0.5)).astype(int) // 2
    found = packets(encode_alaw(np.clip(mixed, -32768, 32767).astype(np.int16)))
    assert tones.first(found, hertz, 0) == pytest.approx(0.5)
    assert tones.first(found, hertz, 0.7) == pytest.approx(0.7)
    assert tones.first(found[:25], hertz, 0) is None


def test_what_else_is_heard_and_how_long_nothing_was() -> None:
    spoken = packets(tones.tone(tones.ORDINARY, 0.5) + (PROMPTS / "zh_CN/agent/emergency.alaw").read_bytes())
    other = tones.first_other(spoken, tones.ORDINARY, 0)
    assert other is not None
    assert 0.5 <= other < 0.8
    assert tones.first_other(spoken[:20], tones.ORDINARY, 0) is None
    assert tones.longest_gap([*spoken[:10], *spoken[20:]], 0, 1.0) == pytest.approx(0.22)
    assert tones.longest_gap([], 0, 1.0) == 1.0
