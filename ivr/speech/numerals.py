"""Numbers and times as Mandarin speakers say them. Numbers are worked out by cn2an; its only importer.

A flow is told ids and no words, so a number or a time travels as one: `digits.13800`, `time.20261129.pm.1530`; of a
time only what was said. 幺 is one, 洞 zero, 拐 seven, 勾 nine when digits are read one by one; 两 is two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import cn2an

DIGITS = {sign: str(value) for value, sign in enumerate("零一二三四五六七八九")}
DIGITS |= {"〇": "0", "洞": "0", "幺": "1", "两": "2", "拐": "7", "勾": "9"}
LONGEST = 20
"""Characters; nobody says a longer number, and none is worth the work."""

_NUMBER = "[零〇一二两三四五六七八九十百千万]"
_DAYS = {"今天": 0, "今儿": 0, "明天": 1, "明儿": 1, "后天": 2, "大后天": 3}
_WEEKDAYS = {sign: at for at, sign in enumerate("一二三四五六")} | {"天": 6, "日": 6}
_WEEKDAY = re.compile(r"(下个?|这个?|本)?(?:星期|礼拜|周)([一二三四五六天日])")
_PARTS = {
    "凌晨": time(3), "清早": time(7), "早上": time(8), "早晨": time(8), "上午": time(9), "中午": time(12),
    "下午": time(14), "傍晚": time(18), "晚上": time(19), "夜里": time(22), "半夜": time(0),
}  # fmt: skip
_PART_IDS = {
    "凌晨": "small_hours", "清早": "early", "早上": "morning", "早晨": "morning", "上午": "am", "中午": "noon",
    "下午": "pm", "傍晚": "evening", "晚上": "night", "夜里": "late", "半夜": "midnight",
}  # fmt: skip
_TIME_ID = re.compile(r"time(?:\.(?P<day>[0-9]{8}))?(?:\.(?P<part>[a-z][a-z_]*))?(?:\.(?P<at>[0-9]{4}))?")
_AFTERNOON = ("下午", "傍晚", "晚上", "夜里")
_NIGHT = ("晚上", "夜里")
_CLOCK = re.compile(
    rf"({_NUMBER}{{1,3}}|[0-9]{{1,2}})[点时](?:(半)|([一三])刻|({_NUMBER}{{1,3}}|[0-9]{{1,2}})分?|钟|整)?"
)


@dataclass(frozen=True, slots=True)
class SpokenTime:
    """What of a time was said; what was not is None."""

    day: date | None = None
    part: str | None = None
    """上午, 下午 …, as said."""
    at: time | None = None

    def begins(self) -> datetime | None:
        """The hour it stands for; a part of the day without an hour begins when it usually does."""
        if self.day is None:
            return None
        at = (_PARTS[self.part] if self.part else None) if self.at is None else self.at
        if at is None:
            return None
        after_midnight = self.part in _NIGHT and at.hour < 5  # 明天晚上十二点 ends tomorrow
        return datetime.combine(self.day, at) + timedelta(days=int(after_midnight))


def parse_digits(text: str) -> str | None:
    """`幺三八零零` → `13800`; None unless every character is a digit."""
    digits = [DIGITS.get(sign, sign if sign.isascii() and sign.isdigit() else "") for sign in text]
    return "".join(digits) if digits and all(digits) else None


def parse_number(text: str) -> int | None:
    """`一百二十` → 120, `两千零五` → 2005, `120` → 120; None when it is no number of at least zero."""
    said = text.replace("幺", "一").replace("〇", "零")
    if not said or len(said) > LONGEST or not re.fullmatch(rf"(?:{_NUMBER}|亿)+|[0-9]+", said):
        return None
    if said.isdigit() and said.isascii():
        return int(said)
    try:
        return int(cn2an.cn2an(said, "normal"))
    except (ValueError, KeyError, IndexError):
        return None


def parse_time(text: str, today: date) -> SpokenTime | None:
    """`明天上午九点半` → day, part and clock; None when no time was said.

    A weekday is the next one from today on; 下周三 is the one of the week that begins next Monday.
    """
    day, part = _day(text, today), next((part for part in _PARTS if part in text), None)
    at = _clock(text, part)
    return SpokenTime(day, part, at) if day or part or at else None


def _day(text: str, today: date) -> date | None:
    if found := _WEEKDAY.search(text):
        weekday = _WEEKDAYS[found[2]]
        monday = today - timedelta(days=today.weekday())
        if found[1] and found[1].startswith("下"):
            return monday + timedelta(days=7 + weekday)
        return today + timedelta(days=(weekday - today.weekday()) % 7)
    said = next((name for name in sorted(_DAYS, key=len, reverse=True) if name in text), None)
    return today + timedelta(days=_DAYS[said]) if said else None


def _clock(text: str, part: str | None) -> time | None:
    found = _CLOCK.search(text)
    hour = parse_number(found[1]) if found else None
    if found is None or hour is None or hour > 24:
        return None
    minute = 30 if found[2] else {"一": 15, "三": 45}.get(found[3] or "", 0)
    if found[4]:
        spoken = parse_number(found[4])
        if spoken is None or spoken > 59:
            return None
        minute = spoken
    if (part in _AFTERNOON and 1 <= hour < 12) or (part == "中午" and 1 <= hour <= 3):
        hour += 12
    elif part in ("半夜", "夜里", "晚上") and hour in (12, 24):
        hour = 0
    return time(hour % 24, minute)


def meaning_of(first: str, text: str, today: date) -> str | None:
    """The id that a whole row of entries travels as. `first` is the id of the first of them, a digit's or a time's; it
    stays where no day or hour is told (`time.any`). None for a row that is too long, or has something else in it."""
    if len(text) > LONGEST:
        return None
    if first.isdigit():
        digits = parse_digits(text)
        return f"digits.{digits}" if digits else None
    if not first.startswith("time."):
        return first
    said = parse_time(text, today)
    if said is None:
        return first
    day = f"{said.day:%Y%m%d}" if said.day else ""
    part = _PART_IDS[said.part] if said.part else ""
    at = f"{said.at:%H%M}" if said.at else ""
    return ".".join(piece for piece in ("time", day, part, at) if piece)


def digits_in(meaning: str) -> str | None:
    """What `digits.13800` tells; None for any other id."""
    kind, _, digits = meaning.partition(".")
    return digits if kind == "digits" and digits.isascii() and digits.isdigit() else None


def time_in(meaning: str) -> SpokenTime | None:
    """What `time.20261129.pm.1530` tells; None for any other id, `time.any` and its like too."""
    found = _TIME_ID.fullmatch(meaning)
    part = next((said for said, name in _PART_IDS.items() if found and name == found["part"]), None)
    if found is None or meaning == "time" or (found["part"] and part is None):
        return None
    try:
        day = date.fromisoformat(found["day"]) if found["day"] else None
        at = time(int(found["at"][:2]), int(found["at"][2:])) if found["at"] else None
    except ValueError:
        return None
    return SpokenTime(day, part, at)
