"""A centre's own recordings: of any usual shape they become telephone sound, and are heard wherever ours would be."""

from __future__ import annotations

import math
import struct
import sys
import wave
from array import array
from itertools import pairwise
from pathlib import Path

import pytest

from ivr.asterisk.config import install_sounds
from ivr.doctor import OK, WARNING, _prompts
from ivr.prompts.alaw import RATE, decode, measure
from ivr.prompts.recording import RATES, Unusable, resample, to_alaw
from ivr.settings import Settings

PROMPTS = Path(__file__).parents[2] / "prompts"


def level(samples: array[float] | array[int]) -> float:
    return math.sqrt(sum(value * value for value in samples) / len(samples))


def sine(hertz: float, rate: int, size: float = 10_000, seconds: float = 1.0) -> list[float]:
    return [size * math.sin(math.tau * hertz * n / rate) for n in range(round(rate * seconds))]


def write(path: Path, values: list[float], rate: int, *, channels: int = 1, bits: int = 16) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = bits // 8
    frames = bytearray()
    for value in values:
        whole = round(value * 2 ** (bits - 16))
        one = bytes([whole + 128]) if size == 1 else whole.to_bytes(size, "little", signed=True)
        frames += one * channels
    with wave.open(str(path), "wb") as sound:
        sound.setparams((channels, size, rate, 0, "NONE", ""))
        sound.writeframes(bytes(frames))
    return path


def pitch(samples: array[int]) -> float:
    """By zero crossings of the middle part."""
    middle = samples[1000:-1000]
    crossings = sum(a < 0 <= b for a, b in pairwise(middle))
    return crossings * RATE / len(middle)


@pytest.mark.parametrize("rate", RATES)
def test_every_usual_rate_keeps_pitch_length_and_what_a_telephone_carries(tmp_path: Path, rate: int) -> None:
    sound = decode(to_alaw(write(tmp_path / "a.wav", sine(440, rate), rate)))
    assert len(sound) == pytest.approx(RATE, abs=2)
    assert pitch(sound) == pytest.approx(440, abs=2)
    assert measure(sound).speech_dbfs == pytest.approx(-19, abs=0.5)
    if rate == RATE:
        return
    passed = resample(array("f", sine(3000, rate)), rate)[500:-500]
    assert level(passed) == pytest.approx(10_000 / math.sqrt(2), rel=0.03)
    if rate > 9000:
        folded = resample(array("f", sine(5000, rate)), rate)[500:-500]
        assert level(folded) < 10_000 * 10 ** (-45 / 20), "what a telephone cannot carry must not fold back"


@pytest.mark.parametrize(("channels", "bits"), [(1, 8), (2, 8), (1, 16), (2, 16), (1, 24), (2, 24), (1, 32), (2, 32)])
def test_every_usual_width_and_stereo(tmp_path: Path, channels: int, bits: int) -> None:
    sound = decode(to_alaw(write(tmp_path / "a.wav", sine(440, 16000), 16000, channels=channels, bits=bits)))
    assert pitch(sound) == pytest.approx(440, abs=2)
    assert measure(sound).speech_dbfs == pytest.approx(-19, abs=0.5)


def test_a_quiet_recording_is_raised_and_a_loud_one_lowered_never_clipped(tmp_path: Path) -> None:
    for size in (300, 3000, 32000):
        found = measure(decode(to_alaw(write(tmp_path / "a.wav", sine(440, 8000, size), 8000))))
        assert found.speech_dbfs == pytest.approx(-19, abs=0.5)
        assert found.clipped == 0


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: p.write_bytes(b""), "not an uncompressed PCM WAV"),
        (lambda p: p.write_bytes(b"ID3 something else"), "not an uncompressed PCM WAV"),
        (lambda p: write(p, sine(440, 96000), 96000), "96000 Hz, 1 channels, 16 bit is not possible"),
        (lambda p: write(p, sine(440, 8000), 8000, channels=6), "6 channels"),
        (lambda p: write(p, [], 8000), "holds no sound"),
        (lambda p: write(p, sine(440, 8000, seconds=0.2), 8000), "0.2 s long"),
        (lambda p: write(p, [0.0] * 8000 * 121, 8000), "121.0 s long"),
        (lambda p: write(p, [1.0, -1.0] * 4000, 8000), "nobody is heard"),
        (lambda p: p.write_bytes(float_wave()), "not an uncompressed PCM WAV"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path, make: object, why: str) -> None:
    path = tmp_path / "a.wav"
    make(path)  # type: ignore[operator]
    with pytest.raises(Unusable, match=why) as refusal:
        to_alaw(path)
    assert "\n" not in str(refusal.value)
    assert " · " in str(refusal.value)


def float_wave() -> bytes:
    body = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    data = bytes(32000)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + body + (
        b"data" + struct.pack("<I", len(data)) + data
    )  # fmt: skip


def test_a_file_cut_short_is_played_as_far_as_it_goes_or_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(440, 8000), 8000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert len(to_alaw(path)) == pytest.approx(RATE / 2, abs=50)
    path.write_bytes(whole[:100])
    with pytest.raises(Unusable, match="ends early"):
        to_alaw(path)


def test_the_music_on_hold_speaks_the_centre_s_words_too(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "var", own_prompts_dir=tmp_path / "ours")
    moh = settings.asterisk_dir / "data" / "moh"
    install_sounds(settings)
    assert (moh / "queue" / "queue.alaw").read_bytes() == (PROMPTS / "moh" / "queue.alaw").read_bytes()

    write(tmp_path / "ours" / "queue" / "all_busy.wav", sine(440, 16000, seconds=2), 16000)
    install_sounds(settings)
    heard = (moh / "queue" / "queue.alaw").read_bytes()
    own = (settings.asterisk_dir / "data" / "sounds" / "zh_CN" / "queue" / "all_busy.alaw").read_bytes()
    assert own in heard
    assert (PROMPTS / "zh_CN" / "queue" / "still_waiting.alaw").read_bytes() in heard
    assert (moh / "emergency" / "emergency.alaw").read_bytes() == (PROMPTS / "moh" / "emergency.alaw").read_bytes()

    (tmp_path / "ours" / "queue" / "all_busy.wav").unlink()
    install_sounds(settings)
    assert (moh / "queue" / "queue.alaw").read_bytes() == (PROMPTS / "moh" / "queue.alaw").read_bytes()


def test_the_doctor_says_which_recordings_are_used_refused_or_misnamed(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, own_prompts_dir=tmp_path / "ours")
    assert [f.mark for f in _prompts(settings)] == [OK, WARNING], "a folder that was named and is not there"
    write(tmp_path / "ours" / "hotline" / "greeting.wav", sine(440, 16000), 16000)
    write(tmp_path / "ours" / "hotline" / "bad.wav", sine(440, 96000), 96000)
    write(tmp_path / "ours" / "hotline" / "slip.wav", sine(440, 8000), 8000)
    findings = list(_prompts(settings))
    assert [f.mark for f in findings] == [OK, WARNING, WARNING, OK]
    assert "96000 Hz" in findings[1].en
    assert "hotline/slip" in findings[2].en
    assert "1 prompts" in findings[3].en
    assert all(f.en.isascii() for f in findings), sys.getdefaultencoding()
