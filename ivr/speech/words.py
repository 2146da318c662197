"""A hypothesis's words: what of a text they make up, and how sure the engine is of a piece of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ivr.speech.ear import UNKNOWN, Word


def runs(said: Sequence[Word]) -> Iterator[list[Word]]:
    """Known words that follow one another without unknown speech between."""
    run: list[Word] = []
    for word in said:
        if word.text == UNKNOWN:
            if run:
                yield run
            run = []
        else:
            run.append(word)
    if run:
        yield run


def spans(entry: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(entry)
    while at >= 0:
        yield at, at + len(entry)
        at = text.find(entry, at + 1)


def joined(words: Sequence[Word]) -> str:
    return "".join(word.text for word in words)


def confidence(words: Sequence[Word], start: int, end: int) -> float:
    """Mean over the characters from start to end."""
    at, total = 0, 0.0
    for word in words:
        overlap = min(end, at + len(word.text)) - max(start, at)
        if overlap > 0:
            total += overlap * word.confidence
        at += len(word.text)
    return total / (end - start)


def spoken_until_s(words: Sequence[Word], end: int) -> float:
    """When the last of the first `end` characters was over."""
    at = 0
    for word in words:
        at += len(word.text)
        if at >= end:
            return word.end_s
    return words[-1].end_s if words else 0.0
