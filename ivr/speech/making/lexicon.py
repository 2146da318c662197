"""The words the model knows and how they sound."""

from __future__ import annotations

from collections.abc import Iterator

from .reading import character_sounds, word_sounds, words
from .texts import frequent_words, texts

MOST_WORDS = 30_000
Lexicon = dict[str, list[tuple[str, ...]]]


def lexicon() -> Lexicon:
    """Phrases of the hotline, words of its sentences, frequent words, and every common character, so that any
    phrase can be spelt in a grammar."""
    found: Lexicon = {}
    for word in dict.fromkeys(_words()):
        readings = character_sounds(word) if len(word) == 1 else [word_sounds(word) or ()]
        if word == "一":
            readings = [("i",)]
        if readings := [reading for reading in readings if reading]:
            found[word] = readings
    return found


def _words() -> Iterator[str]:
    t = texts()
    yield from t.phrases
    for sentence in t.sentences + t.before + t.after:
        yield from words(sentence)
    yield from (word for word, _ in frequent_words(MOST_WORDS))
    for high in range(0xB0, 0xD8):
        for low in range(0xA1, 0xFF):
            # GB 2312 level 1: the 3755 characters of daily use; five places at its end are empty.
            yield from bytes([high, low]).decode("gb2312", "ignore")
