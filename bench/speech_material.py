"""Audio to measure speech with: sentences and phrases in voices no model was trained on, through a telephone channel.

`python -m bench.speech_material` fills the cache `build/bench/speech/`; it needs the packages of
prompts/requirements.lock (Kokoro, two voices kept for tests) and espeak-ng (four variants kept for tests). What is
there is never made again. Reading the cache needs neither, and a part that finds no audio at all makes espeak's.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import tomllib
import wave
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "build" / "bench" / "speech"
KOKORO_FILES = ROOT / "build" / "kokoro"
KOKORO_VOICES = ("zf_xiaoni", "zm_yunjian")
ESPEAK_VOICES = ("f3", "f4", "m2", "m6")
RATE = 8000
SPEED = 0.9
"""Of Kokoro's own pace: elders speak slowly."""


@dataclass(frozen=True, slots=True)
class Utterance:
    text: str
    wanted: str
    """The id that must be understood; empty: nothing must be."""
    voice: str
    group: str
    """`dev`, `held`, or the grammar's name."""

    @property
    def path(self) -> Path:
        key = hashlib.sha256(f"{self.voice}|{self.text}|{SPEED}".encode()).hexdigest()[:16]
        return CACHE / f"{self.voice}-{key}.wav"

    @property
    def seed(self) -> int:
        return int(hashlib.sha256(f"{self.voice}|{self.text}".encode()).hexdigest()[:8], 16)


def sentences(group: str, voices: tuple[str, ...] = KOKORO_VOICES, *, every_voice: bool = False) -> list[Utterance]:
    """Each sentence by one voice, in turn, which halves the synthesis; or distress in every voice."""
    found = tomllib.loads((ROOT / "bench" / "speech_sentences.toml").read_text(encoding="utf-8"))[group]
    said = [(text, wanted) for wanted, texts in found["distress"].items() for text in texts]
    said += [(text, "") for text in found["ordinary"]]
    return [
        Utterance(text, wanted, voice, group)
        for n, (text, wanted) in enumerate(said)
        for voice in (voices if every_voice and wanted else (voices[n % len(voices)],))
    ]


def phrases(voices: tuple[str, ...] = KOKORO_VOICES, *, every_voice: bool = False) -> list[Utterance]:
    """Each phrase by one voice, in turn; or in every voice."""
    found = tomllib.loads((ROOT / "bench" / "speech_phrases.toml").read_text(encoding="utf-8"))
    said = [(text, wanted, name) for name, ids in found.items() for wanted, texts in ids.items() for text in texts]
    return [
        Utterance(text, wanted, voice, name)
        for n, (text, wanted, name) in enumerate(said)
        for voice in (voices if every_voice else (voices[n % len(voices)],))
    ]


def talk(voices: tuple[str, ...] = ESPEAK_VOICES, *, every_voice: bool = True) -> list[Utterance]:
    """Everyday talk without distress: each sentence in every voice, or by one voice, in turn."""
    texts = tomllib.loads((ROOT / "bench" / "speech_talk.toml").read_text(encoding="utf-8"))["talk"]
    return [
        Utterance(text, "", voice, "talk")
        for n, text in enumerate(texts)
        for voice in (voices if every_voice else (voices[n % len(voices)],))
    ]


def numbers(voices: tuple[str, ...] = KOKORO_VOICES, *, every_voice: bool = False) -> list[Utterance]:
    """Digits and times; `wanted` is the text itself, which numerals.py reads."""
    found = tomllib.loads((ROOT / "bench" / "speech_numbers.toml").read_text(encoding="utf-8"))
    return [
        Utterance(text, text, voice, group)
        for group, texts in found.items()
        for n, text in enumerate(texts)
        for voice in (voices if every_voice else (voices[n % len(voices)],))
    ]


def everything() -> list[Utterance]:
    """In the order of making: what is needed most first."""
    quick = [
        *talk(),
        *numbers(ESPEAK_VOICES, every_voice=True),
        *phrases(ESPEAK_VOICES, every_voice=True),
        *sentences("held", ESPEAK_VOICES),
        *sentences("dev", ESPEAK_VOICES),
    ]
    kokoro = [*phrases(), *numbers(), *sentences("held"), *talk(KOKORO_VOICES, every_voice=False), *sentences("dev")]
    return [*quick, *kokoro, *phrases(every_voice=True), *sentences("held", every_voice=True)]


def read(path: Path) -> array[int]:
    """Samples of a mono 16-bit WAV at 8 kHz."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path.name}: not 8 kHz, mono, 16 bit")
        return array("h", file.readframes(file.getnframes()))


# ---- making


def no_audio() -> str:
    """Why there is nothing to measure with; empty when there is. espeak-ng's share is made here, in a minute or two, so
    that a fresh checkout is measured too."""
    if any(one.path.is_file() for one in everything()):
        return ""
    if shutil.which("espeak-ng") is None:
        print("  没有测试语音，也没有 espeak-ng no audio to measure with, and no espeak-ng to make it", flush=True)
        return "audio: no espeak-ng"
    print("  用 espeak-ng 制作测试语音 making the audio with espeak-ng", flush=True)
    made = sum(1 for _ in make(ESPEAK_VOICES))
    print(f"  {made} files", flush=True)
    return "" if made else "audio: espeak-ng made none"


def make(limit_voices: tuple[str, ...]) -> Iterator[Path]:
    CACHE.mkdir(parents=True, exist_ok=True)
    wanted = [u for u in everything() if u.voice in limit_voices and not u.path.is_file()]
    kokoro = None
    for utterance in wanted:
        if utterance.path.is_file():
            continue
        if utterance.voice in KOKORO_VOICES:
            from ivr.prompts.build import KOKORO_RATE, Kokoro
            from ivr.prompts.tools import kokoro_files

            kokoro = kokoro or Kokoro(kokoro_files(KOKORO_FILES, print))
            sound, rate = kokoro.say(utterance.text, kokoro.style(utterance.voice), SPEED), KOKORO_RATE
        else:
            sound, rate = _espeak(utterance)
        _write(utterance.path, _resampled(sound, rate))
        yield utterance.path


def _espeak(utterance: Utterance):  # type: ignore[no-untyped-def]
    import numpy as np
    from pypinyin import Style, lazy_pinyin

    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng 未安装 · espeak-ng is not installed")
    spoken = " ".join(lazy_pinyin(utterance.text, style=Style.TONE3, neutral_tone_with_five=True))
    command = ["espeak-ng", "-v", f"cmn-latn-pinyin+{utterance.voice}", "-s", "140", "--stdout", spoken]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    # The header of a stream has no length; what follows its `data` mark is 16-bit sound.
    rate = int.from_bytes(data[24:28], "little")
    body = data[data.index(b"data") + 8 :]
    return np.frombuffer(body[: len(body) // 2 * 2], "<i2").astype(float) / 32768, rate


def _resampled(sound, rate: int):  # type: ignore[no-untyped-def]
    """Through the spectrum of the whole: what is above half the new rate is left out."""
    import numpy as np

    length = round(len(sound) * RATE / rate)
    return np.fft.irfft(np.fft.rfft(sound)[: length // 2 + 1], length) * (length / len(sound))


def _write(path: Path, sound) -> None:  # type: ignore[no-untyped-def]
    import numpy as np

    part = path.with_suffix(".part")
    with wave.open(str(part), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.clip(np.rint(sound * 32767), -32768, 32767).astype("<i2").tobytes())
    part.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("voices", nargs="*", default=[*KOKORO_VOICES, *ESPEAK_VOICES])
    made = 0
    for made, path in enumerate(make(tuple(parser.parse_args().voices)), 1):
        if made % 50 == 0:
            print(made, path.name, flush=True)
    print(f"{made} made, {sum(1 for _ in CACHE.glob('*.wav'))} in {CACHE}")


if __name__ == "__main__":
    main()
