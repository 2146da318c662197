"""What was understood, in words for people: ids of `ivr/speech/grammars`, services and distress."""

from __future__ import annotations

DISTRESS = {
    "distress.help": "求救",
    "distress.fall": "摔倒",
    "distress.chest": "胸口难受",
    "distress.breath": "喘不上气",
    "distress.fire": "着火、煤气、触电",
    "distress.bleeding": "出血",
    "distress.stroke": "像中风",
    "distress.faint": "昏倒、头晕",
    "distress.choke": "噎住、呛住",
    "distress.poison": "中毒、吃错药",
    "distress.despair": "想轻生",
    "distress.pain": "剧痛、烫伤",
    "distress.lost": "走失",
    "distress.threat": "受困、受威胁",
}
SERVICES = {
    "service.meal": "助餐",
    "service.bath": "助浴",
    "service.cleaning": "助洁",
    "service.medical": "助医",
    "service.mobility": "助行",
    "service.urgent_help": "助急（修理等）",
    "service.shopping": "助购",
    "service.company": "助聊",
    "service.learning": "助学",
    "service.leisure": "助乐",
    "service.hair": "理发修脚",
    "service.care": "护理照料",
    "service.complaint": "投诉意见",
    "service.enquiry": "咨询",
    "service.person": "找人工",
}
HEARD = "语音听到："
"""A ticket's note that begins so was made here; everything else a person has written."""


def noted(note: str | None, meaning: str) -> str | None:
    """A ticket's note with one more wish in it; a person's own note stays as it is."""
    word = SERVICES.get(meaning)
    if word is None or (note and not note.startswith(HEARD)):
        return note
    words = note.removeprefix(HEARD).split("、") if note else []
    return note if word in words else HEARD + "、".join([*words, word])
