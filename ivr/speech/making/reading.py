"""How a Chinese text is read aloud: runs between pauses, words, numbered-tone Pinyin syllables."""

from __future__ import annotations

import logging
import re

from pypinyin import Style, lazy_pinyin, pinyin

from .phones import sounds

HAN = re.compile(r"[\u4e00-\u9fff]+")

HUMMED = ("n", "ng", "m")
"""嗯, spelt as one consonant, is spoken much like en."""

Word = list[str]
"""Syllables such as `ni3`; 5 is the neutral tone."""
Reading = list[list[Word]]
"""Runs of words; between runs there is a pause."""


def words(text: str) -> list[str]:
    """A run of characters cut into words as jieba does."""
    import jieba

    logging.getLogger("jieba").setLevel(logging.WARNING)
    return list(jieba.lcut(text))


def read(text: str) -> Reading:
    return [[syllables(word) for word in words(run)] for run in HAN.findall(text)]


def syllables(word: str) -> Word:
    spelt = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
    return [f"en{syllable[-1]}" if toneless(syllable) in HUMMED else syllable for syllable in spelt]


def toneless(syllable: str) -> str:
    return syllable.rstrip("012345")


def word_sounds(word: str) -> tuple[str, ...] | None:
    """All sounds of a word in its usual reading; None when a character has none."""
    found = [sounds(toneless(syllable)) for syllable in syllables(word)]
    return None if None in found else tuple(sound for part in found if part for sound in part)


def character_sounds(character: str, most: int = 2) -> list[tuple[str, ...]]:
    """The most usual readings of one character that differ without tones."""
    readings = pinyin(character, heteronym=True, style=Style.NORMAL, v_to_u=False)[0]
    spelt = ["en" if reading in HUMMED else reading for reading in readings]
    return list(dict.fromkeys(part for reading in spelt if (part := sounds(reading))))[:most]
