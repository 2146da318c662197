"""`python -m ivr.prompts.judge --model DIR`: an ear that knows no text writes down what it hears in every prompt.

The ear is Whisper `base` (faster-whisper, the extra `second-ear`), far from the telephone's own recogniser and from the
synthesiser. What it heard is kept in `prompts/zh_CN/heard.json`, so that tests can hold it against the catalogue
without the ear. Compared are syllables without tones: the ear writes 他 for 她, which is no mistake of the speaker's.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from array import array
from pathlib import Path

from pypinyin import lazy_pinyin

from .alaw import RATE, decode
from .catalogue import HAN, Prompt, load_catalogue
from .manifest import digest, write_whole

PROJECT_ROOT = Path(__file__).resolve().parents[2]
EAR_RATE = 2 * RATE
SILENCE_S = 0.5
DIGITS = "零一二三四五六七八九"
HEARD = "heard.json"


def syllables(text: str) -> list[str]:
    """Toneless pinyin of what is spoken; 12349 and 120 are read with 幺, as on the telephone."""
    text = re.sub(r"1(?=20|2349)|一(?=二三四九|二零)", "幺", text)
    text = text.replace("您", "你")  # the ear writes down the commoner word; nobody misunderstands either
    text = "".join(DIGITS[int(sign)] if sign in "0123456789" else sign for sign in text)
    return lazy_pinyin("".join(HAN.findall(text)))


def distance(said: list[str], heard: list[str]) -> int:
    """Syllables to replace, leave out or put in."""
    row = list(range(len(heard) + 1))
    for number, syllable in enumerate(said, 1):
        before, row = row, [number]
        for at, other in enumerate(heard, 1):
            row.append(min(before[at] + 1, row[at - 1] + 1, before[at - 1] + (syllable != other)))
    return row[-1]


class Ear:
    """Whisper on one thread, without sampling: the same sound gives the same text."""

    def __init__(self, model: Path) -> None:
        import numpy as np
        from faster_whisper import WhisperModel

        self._np = np
        self._whisper = WhisperModel(str(model), device="cpu", compute_type="int8", cpu_threads=1)

    def hear(self, sound: array[int]) -> str:
        np = self._np
        wide = np.zeros(2 * len(sound), np.float32)
        wide[::2] = np.array(sound, np.float32) / 32768
        taps = np.arange(-60, 61)
        wide = np.convolve(wide, np.sinc(taps / 2) * np.hamming(121), "same").astype(np.float32)
        padded = np.pad(wide, round(SILENCE_S * EAR_RATE))
        parts, _ = self._whisper.transcribe(
            padded, language="zh", beam_size=5, temperature=0.0, initial_prompt="以下是普通话的句子。"
        )
        return "".join(part.text for part in parts).strip()


def misheard(prompt: Prompt, heard: str) -> tuple[int, int]:
    """(syllables wrong, syllables said)."""
    said = syllables(prompt.text)
    return distance(said, syllables(heard)), len(said)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ivr.prompts.judge", description="判断提示音能否听清")
    parser.add_argument("--model", type=Path, required=True, help="Whisper base 的目录 folder of faster-whisper's base")
    parser.add_argument("names", nargs="*", help="只听这些 only these")
    args = parser.parse_args(arguments)
    prompts_dir = PROJECT_ROOT / "prompts"
    catalogue = load_catalogue(prompts_dir / "catalogue.toml")
    path = prompts_dir / "zh_CN" / HEARD
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    heard = {name: entry for name, entry in known.items() if name in catalogue}
    ear = Ear(args.model)
    for prompt in catalogue.values():
        sum_now = digest(prompt.audio_path(prompts_dir).read_bytes())
        if args.names and prompt.id not in args.names:
            continue
        if not args.names and heard.get(prompt.id, {}).get("audio_sha256") == sum_now:
            continue
        text = ear.hear(decode(prompt.audio_path(prompts_dir).read_bytes()))
        heard[prompt.id] = {"audio_sha256": sum_now, "heard": text}
        wrong, said = misheard(prompt, text)
        print(f"{prompt.id}: {wrong}/{said} {text}", flush=True)
        ordered = {name: heard[name] for name in sorted(heard)}
        write_whole(path, (json.dumps(ordered, indent=1, ensure_ascii=False) + "\n").encode())
    judged = [misheard(catalogue[name], entry["heard"]) for name, entry in heard.items()]
    wrong, said = (sum(column) for column in zip(*judged, strict=True)) if judged else (0, 0)
    print(f"听错 {wrong}/{said} 个音节 · {100 * wrong / max(said, 1):.1f} % of syllables misheard")
    return 0


if __name__ == "__main__":
    sys.exit(main())
