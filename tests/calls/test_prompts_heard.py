"""What a far end really receives: every prompt whole, a centre's own recording, an elder's name between our words.

Intelligibility in two steps, because no recogniser that is good enough runs everywhere: when prompts are made, an
independent ear (Whisper) writes down what it hears in each file (`prompts/zh_CN/heard.json`, held against the catalogue
in tests/unit/test_prompts_intelligible.py); here the very bytes that it judged must come out of a telephone.
"""

from __future__ import annotations

import asyncio
import math
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from ivr.prompts import load_catalogue
from ivr.prompts.alaw import decode, measure
from ivr.prompts.catalogue import DEMO_FOLDER
from ivr.voice.library import Library
from tests.calls.harness import Answers, Leg
from tests.calls.harness.recording import PCMA
from tests.calls.place import MakePlace, Place
from tests.calls.system import DUTY, Person, prompt

PROMPTS = Path(__file__).parents[2] / "prompts"
CATALOGUE = load_catalogue(PROMPTS / "catalogue.toml")
LINES = 12
"""Calls at a time: all prompts are four minutes, a test must not be."""
WANG = Person("E1", "王秀英", "02150001111", ["13800000001"])


def received(leg: Leg) -> bytes:
    """A-law as it came out of the network, in order of sending."""
    packets = sorted((p for p in leg.heard.packets if p.payload_type == PCMA), key=lambda p: (p.timestamp, p.seq))
    return b"".join(packet.payload for packet in packets)


def shared_out() -> list[list[str]]:
    """All prompts of the hotline, the longest first, on lines of about equal length."""
    lines: list[list[str]] = [[] for _ in range(LINES)]
    spent = [0.0] * LINES
    names = [name for name in CATALOGUE if not name.startswith(f"{DEMO_FOLDER}/")]
    for name in sorted(names, key=lambda name: -prompt(name).stat().st_size):
        at = spent.index(min(spent))
        lines[at].append(name)
        spent[at] += prompt(name).stat().st_size / 8000 + 0.2
    return lines


def dialplan(lines: list[list[str]]) -> Iterator[str]:
    yield "[from-trunk](+)"
    for number, names in enumerate(lines):
        yield f"exten => 95{number:03},1,Answer(,i)"
        for name in names:
            yield f" same => n,Playback({name})\n same => n,Wait(0.2)"
        yield " same => n,Hangup(16)"


def own_dialplan(place: Place, text: str) -> None:
    """What a centre adds itself, in the folder that is left to it."""
    custom = place.folder / "asterisk" / "etc" / "custom"
    custom.mkdir(parents=True)
    (custom / "extensions.conf").write_text(text)


@pytest.mark.long
async def test_every_prompt_comes_out_of_the_telephone_as_the_independent_ear_heard_it(place: MakePlace) -> None:
    lines, there = shared_out(), place()
    own_dialplan(there, "\n".join(dialplan(lines)) + "\n")
    async with there as (_, town):
        calls = [await town.call(f"0215000{number:04}", f"95{number:03}") for number in range(LINES)]
        await asyncio.gather(*(call.ended(within=60) for call in calls))
    for call, names in zip(calls, lines, strict=True):
        assert call.heard.lost == 0
        heard = received(call)
        at = 0
        for name in names:
            audio = prompt(name).read_bytes()
            found = heard.find(audio, at)
            assert found >= 0, f"{name} did not come whole, or not in its turn"
            sound = measure(decode(heard[found : found + len(audio)]))
            assert sound.clipped == 0, name
            assert sound.speech_dbfs == pytest.approx(-19, abs=2), name
            at = found + len(audio)


def record(path: Path, seconds: float = 2.0, rate: int = 44100) -> None:
    """A centre's own voice, here two tones, as a sound card saves it: stereo, 44.1 kHz."""
    path.parent.mkdir(parents=True)
    tones = (
        math.sin(math.tau * 500 * n / rate) + math.sin(math.tau * 1700 * n / rate) for n in range(int(seconds * rate))
    )
    samples = array("h", (round(3000 * tone) for value in tones for tone in (value, value)))
    with wave.open(str(path), "wb") as sound:
        sound.setparams((2, 2, rate, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())


async def test_a_centre_s_own_greeting_is_what_the_caller_hears(place: MakePlace, tmp_path: Path) -> None:
    record(tmp_path / "ours" / "hotline" / "greeting.wav")
    async with place([WANG], IVR_OWN_PROMPTS_DIR=str(tmp_path / "ours")) as (system, town):
        elder = await town.call("02150001111", "12349")
        installed = system.settings.asterisk_dir / "data" / "sounds" / "zh_CN" / "hotline" / "greeting.alaw"
        await elder.hears(installed)
        assert installed.read_bytes()[:9600] in received(elder), "the first 1.2 s, byte for byte"
        assert measure(decode(installed.read_bytes())).speech_dbfs == pytest.approx(-19, abs=1)
        assert prompt("hotline/greeting").read_bytes()[4000:12000] not in received(elder)
        await elder.hang_up()


NAME = PROMPTS / "demo" / "daughter.alaw"
"""A stand-in: no call waits for synthesis, so what is recorded is played, whatever it says."""


async def test_family_and_duty_hear_whom_it_is_about_where_the_name_is_recorded(place: MakePlace) -> None:
    there = place([WANG])
    Library(there.folder / "spoken").put("求助的老人是王秀英。", NAME.read_bytes())
    async with there as (system, town):
        daughter = town.family("13800000001", Answers(after_s=0.3, presses="1", presses_after_s=9))
        duty = town.duty(DUTY, Answers(after_s=0.3, presses="1", presses_after_s=9))
        elder = await town.call("02150001111", "12349120")
        call, watch = await daughter.called(), await duty.called(within=20)
        await asyncio.gather(
            system.leg("family", "13800000001", "accepted", within=20),
            system.leg("supervisor", DUTY, "accepted", within=30),
        )
        for leg, opening in ((call, "family/opening"), (watch, "duty/opening")):
            first, name = await leg.hears(prompt(opening)), await leg.hears(NAME)
            pause_s = name.at_s - first.at_s - prompt(opening).stat().st_size / 8000
            # A mixer that misses a frame on a busy machine makes it 20 ms longer.
            assert -0.05 < pause_s < 0.75, "one announcement, without a hole"
        await elder.hang_up()
        await system.leg("elder", "02150001111", "ended/talked")
