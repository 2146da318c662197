"""A name in a call: joined with our words at once or left out; and the synthesiser behind it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ivr.domain.people import Person
from ivr.prompts.install import install_prompts
from ivr.services.ports import StoreUnavailable
from ivr.settings import Settings
from ivr.voice.calls import SpokenNames
from ivr.voice.library import Library
from ivr.voice.synthesiser import Synthesiser, Unspeakable, VoiceMissing, find_voice
from tests.doubles.named_people import DEVICE, FAMILY, People, name_of

PROMPTS = Path(__file__).parents[2] / "prompts"


@pytest.fixture
def sounds_dir(tmp_path: Path) -> Path:
    install_prompts(PROMPTS / "zh_CN", None, tmp_path / "sounds")
    return tmp_path / "sounds"


def calls(tmp_path: Path, sounds_dir: Path, people: People) -> SpokenNames:
    return SpokenNames(Library(tmp_path / "spoken"), sounds_dir, people)


async def test_the_family_hears_the_name_between_our_words(tmp_path: Path, sounds_dir: Path) -> None:
    Library(tmp_path / "spoken").put(name_of("李家人"), b"NAME" * 1000)
    spoken = calls(tmp_path, sounds_dir, People(FAMILY))
    for speech, ending in ((False, "choose"), (True, "choose_say")):
        prompt = await spoken.family_alarm("2", speech=speech)
        heard = Path(f"{prompt}.alaw").read_bytes()
        parts = [(PROMPTS / f"zh_CN/family/{name}.alaw").read_bytes() for name in ("opening", ending)]
        assert heard.startswith(parts[0])
        assert heard.endswith(parts[1])
        between = heard[len(parts[0]) : -len(parts[1])]
        assert between.strip(b"\xd5") == b"NAME" * 1000
        assert len(between) == 4000 + 2 * 3200
        assert Path(f"{prompt}.alaw").stat().st_mode & 0o777 == 0o600


async def test_the_duty_phone_hears_name_and_address(tmp_path: Path, sounds_dir: Path) -> None:
    library = Library(tmp_path / "spoken")
    spoken = calls(tmp_path, sounds_dir, People(DEVICE))
    library.put(name_of("张设备"), b"NAME")
    first = Path(f"{await spoken.duty_alarm('3')}.alaw").read_bytes()
    library.put("住址是火路，三号。", b"ADDRESS")
    both = Path(f"{await spoken.duty_alarm('3')}.alaw").read_bytes()
    assert b"NAME" in first
    assert b"ADDRESS" in both
    assert both.endswith((PROMPTS / "zh_CN/duty/press_one.alaw").read_bytes())


@pytest.mark.parametrize("trouble", ["no incident", "no recording", "unspeakable", "no prompts", "database", "slow"])
async def test_whatever_is_missing_the_general_words_are_heard_at_once(
    tmp_path: Path, sounds_dir: Path, trouble: str
) -> None:
    people = People(FAMILY)
    if trouble != "no recording":
        Library(tmp_path / "spoken").put(name_of("李家人"), b"NAME")
    if trouble == "no incident":
        people.people = []
    if trouble == "unspeakable":
        people.people = [Person("2", "Smith", None)]
    if trouble == "no prompts":
        (sounds_dir / "family" / "opening.alaw").unlink()
    if trouble == "database":
        people.fails = StoreUnavailable("locked")
    if trouble == "slow":
        people.delay_s = 5
    spoken = calls(tmp_path, sounds_dir, people)
    began = time.monotonic()
    assert await spoken.family_alarm("2") == "family/alarm"
    assert await spoken.duty_alarm("9") == "duty/emergency"
    assert time.monotonic() - began < 2


async def test_a_centre_that_recorded_the_general_words_is_heard_in_its_own_voice(tmp_path: Path) -> None:
    (tmp_path / "own" / "family").mkdir(parents=True)
    (tmp_path / "own" / "family" / "alarm.alaw").write_bytes(b"theirs")
    install_prompts(PROMPTS / "zh_CN", tmp_path / "own", tmp_path / "sounds")
    Library(tmp_path / "spoken").put(name_of("李家人"), b"NAME")
    spoken = calls(tmp_path, tmp_path / "sounds", People(FAMILY))
    assert await spoken.family_alarm("2") == "family/alarm"


# What `ivr.prompts.say` says on its pipes, without a model: each line of behaviour is one text.
SERVANT = """
import json, sys, time
def answer(audio=b"", why=""):
    sys.stdout.buffer.write(json.dumps({"bytes": len(audio), "why": why}).encode() + b"\\n" + audio); sys.stdout.flush()
answer()
for line in sys.stdin:
    text = json.loads(line)["text"]
    if text == "die": sys.exit(1)
    if text == "rubbish": print("hello", flush=True)
    elif text == "hang": time.sleep(60)
    elif text == "no": answer(why="unknown character")
    else: answer(text.encode())
"""


def servant(tmp_path: Path, code: str = SERVANT) -> Synthesiser:
    import sys

    script = tmp_path / "servant.py"
    script.write_text(code)
    voice = Synthesiser(Path(sys.executable), tmp_path)
    voice._command = [sys.executable, str(script)]
    return voice


async def test_a_synthesiser_that_dies_talks_rubbish_or_hangs_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ivr.voice import synthesiser

    async with servant(tmp_path) as voice:
        assert await voice.say("王桂芳") == "王桂芳".encode()
        for trouble in ("die", "rubbish", "hang"):
            monkeypatch.setattr(synthesiser, "SAY_S", 0.5 if trouble == "hang" else 10)
            with pytest.raises(VoiceMissing) as failed:
                await voice.say(trouble)
            assert trouble not in str(failed.value)
            monkeypatch.setattr(synthesiser, "SAY_S", 10)
            assert await voice.say("李四") == "李四".encode()
        with pytest.raises(Unspeakable):
            await voice.say("no")
        await voice.rest()
        assert await voice.say("李四") == "李四".encode()
        process = voice._process
    assert process is not None
    assert process.returncode is not None, "nothing is left running"


async def test_a_synthesiser_that_does_not_start_is_missing(tmp_path: Path) -> None:
    async with servant(tmp_path, "raise SystemExit(3)") as voice:
        with pytest.raises(VoiceMissing):
            await voice.say("王桂芳")


def test_a_named_python_that_is_not_there_means_no_names(tmp_path: Path) -> None:
    assert find_voice(Settings(data_dir=tmp_path, voice_python="off")) is None
