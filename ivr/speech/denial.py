"""A word of distress that tells of none: denied, of another time or place, or part of a harmless saying."""

from __future__ import annotations

import re

from ivr.speech.grammar import Grammar

_DENIED = re.compile(
    r"(?:怕|担心|小心|当心|以免|避免|防止?|预防|没有?|不是|不用|不要|不会|未|别|无|并非|不)(?:我|你|他|她|再|要|有|人|在|过|感到|觉得|说|是|什么|怎么|头晕|胸闷|也|又|叫|哪里){0,3}$"
)
"""Straight before an entry: 没有摔倒, 不用叫救护车, 没有头晕也没有摔跤."""
_CLAUSE_S = 12
"""Characters: a remark about television reaches this far, not over a long report."""
_LITTLE_ELSE = 4
"""Characters beside a word that counts alone: 我现在头晕, not 治头晕的药吃完了."""
_EVENT = ("了", "得", "死", "很", "犯", "啊")
_ASKED = re.compile(r"^(?:吗|怎么预防|的话|的药|的垫子)")
"""Straight after an entry: a question or a thing, no event."""


def denied(grammar: Grammar, text: str, start: int, end: int, *, distress: bool) -> bool:
    """Does what stands around text[start:end] take its meaning away? The entry's own 没, 不 (没呼吸了) is no denial."""
    if _DENIED.search(text[:start]):
        return True
    if not distress:
        return False
    if any(
        low <= start and end <= low + len(saying)
        for saying in grammar.harmless
        for low in range(max(0, start - len(saying)), start + 1)
        if text.startswith(saying, low)
    ):
        return True
    if (
        text[start:end] in grammar.alone
        and len(text) - (end - start) > _LITTLE_ELSE
        and text[end : end + 1] not in _EVENT
    ):
        return True
    if any(sign in text[end:] for sign in grammar.over):
        return True
    before = text[max(0, start - _CLAUSE_S) : start]
    return any(sign in before for sign in grammar.elsewhere) or _ASKED.match(text[end:]) is not None
