"""What is said: phrases, sentences and frequent words, mixed into one utterance after another."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DIGITS = "零一二三四五六七八九幺"
FREQUENT = 9000


@dataclass(frozen=True, slots=True)
class Texts:
    domain: tuple[str, ...]
    more: tuple[str, ...]
    sentences: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    unseen: tuple[str, ...]

    @property
    def phrases(self) -> tuple[str, ...]:
        return self.domain + self.more


@cache
def texts() -> Texts:
    raw = tomllib.loads((Path(__file__).parent / "texts.toml").read_text(encoding="utf-8"))
    return Texts(**{name: tuple(dict.fromkeys(value.split())) for name, value in raw.items()})


def frequent_words(most: int) -> list[tuple[str, int]]:
    """Words of at most four characters with their counts in jieba's dictionary (MIT), most frequent first."""
    import jieba

    from .reading import HAN

    found: list[tuple[str, int]] = []
    for line in (Path(jieba.__file__).parent / "dict.txt").read_text(encoding="utf-8").splitlines():
        word, count = line.split()[:2]
        if len(word) <= 4 and HAN.fullmatch(word):
            found.append((word, int(count)))
    found.sort(key=lambda item: (-item[1], item[0]))
    return found[:most]


class Speaker:
    """Endless utterances, the same for the same seed."""

    def __init__(self, seed: int, words: Sequence[str] = ()) -> None:
        """`words`: besides the hotline's own texts; without them the most frequent ones."""
        self._rng = random.Random(seed)
        self._texts = texts()
        self._words = list(words) or [word for word, _ in frequent_words(FREQUENT)]

    def say(self, characters: int = 1) -> str:
        """At least so many characters, of several parts if need be; never one of the unseen phrases."""
        parts: list[str] = []
        while sum(map(len, parts)) < characters:
            text = self._any()
            if not any(phrase in text for phrase in self._texts.unseen):
                parts.append(text)
        return "，".join(parts)

    def _any(self) -> str:
        """A third single or listed phrases, a third inside sentences, a third plain words: a phone must be
        learnt in every neighbourhood, not only in the hotline's own phrases."""
        rng, t = self._rng, self._texts
        kind = rng.random()
        if kind < 0.13:
            return rng.choice(t.domain)
        if kind < 0.21:
            return rng.choice(t.more)
        if kind < 0.33:
            return "，".join(rng.sample(t.phrases, rng.randint(2, 4)))
        if kind < 0.48:
            return self._framed()
        if kind < 0.64:
            return rng.choice(t.sentences)
        if kind < 0.71:
            return "".join(rng.choice(DIGITS) for _ in range(rng.randint(1, 8)))
        return rng.choice(["", "，"]).join(rng.sample(self._words, rng.randint(2, 5)))

    def _framed(self) -> str:
        rng, t = self._rng, self._texts
        front = "".join(rng.sample(t.before, rng.randint(0, 2)))
        back = "".join(rng.sample(t.after, rng.randint(0, 1)))
        return front + rng.choice(t.phrases) + rng.choice(["", "", "，" + rng.choice(t.phrases)]) + back
