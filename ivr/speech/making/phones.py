"""Mandarin sounds without tones: initials and finals, their HMM states, and a syllable's sounds.

Tones need a pitch feature, which neither this model's front end nor Vosk's plain MFCC has.
"""

from __future__ import annotations

from functools import cache

INITIALS = tuple("b p m f d t n l g k h j q x zh ch sh r z c s".split())
FINALS = tuple(
    "a ai an ang ao e ei en eng er i ii iii ia ian iang iao ie in ing iong iou "
    "o ong ou u ua uai uan uang uei uen ueng uo v van ve vn".split()
)
"""`ii` is the vowel of zi ci si, `iii` that of zhi chi shi ri, `v` is ü."""
SILENCE = "SIL"
PHONES = INITIALS + FINALS
STATES = {phone: 1 if phone in INITIALS else 2 for phone in PHONES} | {SILENCE: 1}

PDF = {(SILENCE, 0): 0}
"""(phone, state) to the network's output; 0 is silence."""
for _phone in PHONES:
    for _state in range(STATES[_phone]):
        PDF[_phone, _state] = len(PDF)
PDFS = len(PDF)

_AFTER_Y = {
    "i": "i",
    "in": "in",
    "ing": "ing",
    "o": "iou",
    "ou": "iou",
    "ai": "ia",
    "u": "v",
    "uan": "van",
    "ue": "ve",
    "un": "vn",
} | {rest: f"i{rest}" for rest in ("a", "an", "ang", "ao", "e", "ong")}
_AFTER_W = {"u": "u"} | {rest: f"u{rest}" for rest in ("a", "o", "ai", "an", "ang", "en", "eng", "ei")}
_SHORT = {"iu": "iou", "ui": "uei", "un": "uen", "ue": "ve", "ê": "e"}
_PALATAL = {"u": "v", "uan": "van", "ue": "ve", "un": "vn"}


@cache
def sounds(syllable: str) -> tuple[str, ...] | None:
    """`[initial] final` of a toneless Pinyin syllable (ü as v); None when it is not Mandarin."""
    initial = next((i for i in sorted(INITIALS, key=len, reverse=True) if syllable.startswith(i)), "")
    rest = syllable[len(initial) :]
    if initial:
        final = _final_after(initial, rest)
    elif syllable[:1] in ("y", "w"):
        final = (_AFTER_Y if syllable[0] == "y" else _AFTER_W).get(syllable[1:], "")
    else:
        final = _SHORT.get(rest, rest)
    if final not in FINALS:
        return None
    return (initial, final) if initial else (final,)


def _final_after(initial: str, rest: str) -> str:
    if rest == "i" and initial in ("zh", "ch", "sh", "r"):
        return "iii"
    if rest == "i" and initial in ("z", "c", "s"):
        return "ii"
    if initial in ("j", "q", "x") and rest in _PALATAL:
        return _PALATAL[rest]
    return _SHORT.get(rest, rest)
