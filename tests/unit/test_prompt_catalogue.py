"""The catalogue of prompts: what is wrong is named; what is installed can be played."""

from __future__ import annotations

import math
import re
import wave
from array import array
from pathlib import Path

import pytest

from ivr.prompts import CatalogueError, install_prompts, load_catalogue
from ivr.prompts.alaw import decode, measure
from ivr.prompts.install import own_recordings, review

CATALOGUE = Path(__file__).parents[2] / "prompts" / "catalogue.toml"
GOOD = 'text = "您好。"\nenglish = "Hello."\nwho = "caller"\nwhen = "first"\n'


def write(folder: Path, body: str, prompt_id: str = "hotline/greeting") -> Path:
    path = folder / "catalogue.toml"
    path.write_text(f'["{prompt_id}"]\n{body}', encoding="utf-8")
    return path


def test_our_catalogue_is_sound_and_never_uses_the_voices_kept_for_testing() -> None:
    catalogue = load_catalogue(CATALOGUE)
    assert {"hotline/greeting", "emergency/help_is_coming", "room/please_wait"} <= catalogue.keys()
    voices = {name for prompt in catalogue.values() for name in prompt.voice.split("+")}
    assert not voices & {"zf_xiaoni", "zm_yunjian"}


def test_what_an_elder_hears_is_slow() -> None:
    for prompt in load_catalogue(CATALOGUE).values():
        if "elder" in prompt.who or "caller" in prompt.who:
            assert prompt.speed <= (1.0 if prompt.id.startswith("demo/") else 0.95), prompt.id


def test_a_prompt_has_sensible_defaults(tmp_path: Path) -> None:
    prompt = load_catalogue(write(tmp_path, GOOD))["hotline/greeting"]
    assert (prompt.voice, prompt.speed, prompt.characters) == ("zf_xiaoxiao", 0.83, 2)
    assert prompt.audio_path(tmp_path) == tmp_path / "zh_CN" / "hotline" / "greeting.alaw"


def test_demonstration_voices_lie_apart_from_the_hotline_s_own(tmp_path: Path) -> None:
    prompt = load_catalogue(write(tmp_path, GOOD, "demo/son"))["demo/son"]
    assert prompt.audio_path(tmp_path) == tmp_path / "demo" / "son.alaw"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (GOOD.replace('who = "caller"\n', ""), "who: missing"),
        (GOOD.replace('"您好。"', '""'), "text: expected a text"),
        (GOOD.replace("您好", "这里是12349"), "text: '12349' must be written as it is spoken"),
        (GOOD.replace("您好。", "……"), "text: holds no Chinese"),
        (GOOD + "speed = 3.0\n", "speed: expected a number from 0.6 to 1.2, got 3.0"),
        (GOOD + "speed = true\n", "speed: expected a number"),
        (GOOD + "pause_s = nan\n", "pause_s: expected a number"),
        (GOOD + 'colour = "red"\n', "colour: unknown field"),
    ],
)
def test_a_mistake_is_named_by_file_prompt_and_field(tmp_path: Path, body: str, field: str) -> None:
    path = write(tmp_path, body)
    with pytest.raises(CatalogueError, match=re.escape(f"{path}: [hotline/greeting]: {field}")):
        load_catalogue(path)


@pytest.mark.parametrize("body", ["x = 1", '["hotline/greeting"]\ntext = 3', '["a/b"]\n["a/b"]', "", '["../x"]\n'])
def test_a_broken_file_is_refused_with_its_name(tmp_path: Path, body: str) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(CatalogueError, match=re.escape(str(path))):
        load_catalogue(path)


def test_a_missing_catalogue_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        load_catalogue(tmp_path / "none.toml")


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    for name in ("hotline/greeting", "queue/all_busy"):
        path = tmp_path / "ours" / f"{name}.alaw"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"ours " + name.encode())
    return tmp_path / "ours"


def tone(rate: int, seconds: float = 1.0, size: int = 8000) -> array[int]:
    return array("h", (round(size * math.sin(math.tau * 440 * n / rate)) for n in range(round(rate * seconds))))


def record(path: Path, rate: int = 8000, seconds: float = 1.0) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes(tone(rate, seconds).tobytes())
    return path.read_bytes()


def test_a_centre_s_own_recording_wins_and_ours_is_gone(tmp_path: Path, ours: Path) -> None:
    target = tmp_path / "sounds"
    install_prompts(ours, tmp_path / "own", target)
    assert (target / "hotline" / "greeting.alaw").read_bytes() == b"ours hotline/greeting"

    record(tmp_path / "own" / "hotline" / "greeting.wav", rate=44100)
    installed = install_prompts(ours, tmp_path / "own", target)

    assert (installed.own, installed.ours) == (("hotline/greeting",), ("queue/all_busy",))
    assert own_recordings(target) == {"hotline/greeting"}
    heard = measure(decode((target / "hotline" / "greeting.alaw").read_bytes()))
    assert heard.seconds == pytest.approx(1.0, abs=0.01)
    assert heard.speech_dbfs == pytest.approx(-19, abs=0.5), "as loud as the others"
    made = (target / "hotline" / "greeting.alaw").stat()
    install_prompts(ours, tmp_path / "own", target)
    assert (target / "hotline" / "greeting.alaw").stat().st_ino == made.st_ino

    (tmp_path / "own" / "hotline" / "greeting.wav").unlink()
    install_prompts(ours, tmp_path / "own", target)
    assert (target / "hotline" / "greeting.alaw").read_bytes() == b"ours hotline/greeting"
    assert own_recordings(target) == frozenset()


def test_a_telephone_format_is_played_as_it_is_and_ours_is_gone(tmp_path: Path, ours: Path) -> None:
    own = tmp_path / "own" / "hotline" / "greeting.ulaw"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"theirs")
    install_prompts(ours, tmp_path / "own", tmp_path / "sounds")
    assert (tmp_path / "sounds" / "hotline" / "greeting.ulaw").read_bytes() == b"theirs"
    assert not (tmp_path / "sounds" / "hotline" / "greeting.alaw").exists(), "Asterisk would choose by itself"


def test_a_recording_that_cannot_be_used_is_refused_and_ours_is_heard(tmp_path: Path, ours: Path) -> None:
    own = tmp_path / "own"
    record(own / "hotline" / "greeting.wav", rate=96000)
    (own / "queue").mkdir()
    (own / "queue" / "all_busy.alaw").touch()
    (own / "queue" / "all_busy.mp3").write_bytes(b"ID3")
    record(own / "hotline" / "greting.wav")
    installed = install_prompts(ours, own, tmp_path / "sounds")
    assert installed.own == installed.unknown == ("hotline/greting",)
    assert [reason.split(":")[0] for reason in installed.refused] == ["hotline/greeting.wav", "queue/all_busy.mp3"]
    assert "96000 Hz" in installed.refused[0]
    assert (tmp_path / "sounds" / "hotline" / "greeting.alaw").read_bytes() == b"ours hotline/greeting"
    reviewed = review(ours, own)
    assert (reviewed.refused, reviewed.unknown, reviewed.own) == (installed.refused, installed.unknown, installed.own)


def test_installing_again_touches_nothing_and_leaves_other_sounds_alone(tmp_path: Path, ours: Path) -> None:
    target = tmp_path / "sounds"
    install_prompts(ours, None, target)
    (target / "beep.gsm").write_bytes(b"somebody else's")
    before = (target / "hotline" / "greeting.alaw").stat()
    install_prompts(ours, None, target)
    assert (target / "hotline" / "greeting.alaw").stat().st_ino == before.st_ino
    assert (target / "beep.gsm").exists()
