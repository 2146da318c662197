"""One cell: from what a person or Excel wrote to what we keep. Each function raises `Bad`, or returns the value."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta

from ivr.domain.numbers import is_dialable, normalise
from ivr.endpoints import is_endpoint
from ivr.importing.report import Bad

Cell = str | int | float | bool | date | datetime | time | None

CELL_LIMIT = 4000
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_EXCEL_ERROR = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NULL!|NUM!)")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]0{1,2}:00(?::00(?:\.0+)?)?)?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::00)?")
_PHONE = re.compile(r"\+?\(?[0-9][0-9 ()\-.]*")
_KEY = re.compile(r"[\w.:\-]+")
# A machine must not ring these: they are for people who need help themselves.
_EMERGENCY = frozenset({"110", "119", "120", "122", "999"})
_YES = frozenset({"是", "1", "true", "yes", "y", "t", "有", "同意"})
_NO = frozenset({"否", "0", "false", "no", "n", "f", "无", "不同意"})
_SEX = {
    **dict.fromkeys(("男", "男性", "m", "male", "1"), "M"),
    **dict.fromkeys(("女", "女性", "f", "female", "2"), "F"),
    **dict.fromkeys(("未知", "不详", "0", "9", "u", "unknown"), None),
}
_EXCEL_EPOCH = date(1899, 12, 30)


def text_of(cell: Cell) -> str:
    """A number typed into Excel is a number of digits to us: 13900000001.0 is `13900000001`."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return str(cell)


def clean(cell: Cell, *, prose: bool = False) -> str:
    """Trimmed text without control characters; in prose a line break becomes a space."""
    text = text_of(cell).translate(_INVISIBLE)
    if len(text) > CELL_LIMIT:
        raise Bad(f"超过 {CELL_LIMIT} 个字符", f"longer than {CELL_LIMIT} characters")
    if prose:
        text = re.sub(r"[\r\n\t\v\f]+", " ", text)
    text = text.strip()
    if not text.isprintable() and any(unicodedata.category(ch) in ("Cc", "Cs", "Cf") for ch in text):
        raise Bad("含有控制字符或换行", "contains a control character or a line break")
    if _EXCEL_ERROR.fullmatch(text):
        raise Bad("Excel 公式出错", "an Excel formula failed here")
    return text


def _plain(cell: Cell) -> str:
    """Full-width digits and signs (０２１－) as plain ones."""
    return unicodedata.normalize("NFKC", clean(cell)).strip()


def required(cell: Cell) -> str:
    text = clean(cell)
    if not text:
        raise Bad("必填", "required")
    return text


def optional(cell: Cell) -> str | None:
    return clean(cell) or None


def endpoint(cell: Cell) -> str | None:
    text = clean(cell)
    if text and not is_endpoint(text):
        raise Bad("须是 https:// 开头的地址", "must be an https:// address")
    return text or None


def push_secret(cell: Cell) -> str | None:
    text = clean(cell)
    if text and not 16 <= len(text) <= 200:
        raise Bad("密钥须有 16 到 200 个字符", "a secret has 16 to 200 characters")
    return text or None


def prose(cell: Cell) -> str | None:
    return clean(cell, prose=True) or None


def key(cell: Cell) -> str:
    """A number of ours (elder_no, device_id, worker_no): it goes into addresses and logs."""
    text = required(cell)
    if not _KEY.fullmatch(text):
        raise Bad("只能用字母、数字和 . : - _", "only letters, digits and . : - _")
    return text


def phone(cell: Cell) -> str:
    number = optional_phone(cell)
    if number is None:
        raise Bad("必填", "required")
    return number


def optional_phone(cell: Cell) -> str | None:
    text = _plain(cell)
    if not text:
        return None
    if not _PHONE.fullmatch(text):
        raise Bad("不是一个电话号码（每格只写一个，不带分机）", "not one telephone number (one per cell, no extension)")
    number = normalise(text)
    if not is_dialable(number) or (len(number) > 12 and not number.startswith("00")):
        raise Bad("不是可以拨打的号码", "not a number that can be dialled")
    if number in _EMERGENCY:
        raise Bad("紧急号码不能由机器拨打", "an emergency number must not be rung by a machine")
    mobile = len(number) == 11 and number.startswith("1")
    if len(number) >= 9 and not (mobile or number.startswith(("0", "400", "800"))):
        # Excel turns 02155500001 into 2155500001: dialled so, it reaches nobody.
        raise Bad(
            "缺少区号开头的 0，或手机号位数不对",
            "the leading 0 of the area code is missing, or a mobile number has a digit too many or too few",
        )
    return number


def sex(cell: Cell) -> str | None:
    text = _plain(cell).lower()
    if not text:
        return None
    if text not in _SEX:
        raise Bad("应为 男 或 女", "expected 男/M or 女/F")
    return _SEX[text]


def birth_date(cell: Cell) -> date | None:
    found = _date_of(cell)
    if found is None:
        return None
    if not date(1890, 1, 1) <= found <= datetime.now(UTC).date():
        raise Bad("出生日期不在 1890 年至今天之间", "not between 1890 and today")
    return found


def _date_of(cell: Cell) -> date | None:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = _plain(cell)
    if not text:
        return None
    match = _DATE.fullmatch(text)
    if match is None and re.fullmatch(r"(18|19|20)\d{6}", text):
        match = re.fullmatch(r"(\d{4})(\d{2})(\d{2})", text)
    try:
        if match is not None:
            return date(*(int(part) for part in match.groups()))
        if isinstance(cell, int | float) and not isinstance(cell, bool) and 3000 <= cell < 60000:
            # Excel counts days; below 3000 (March 1908) it is rather a year that somebody typed.
            return _EXCEL_EPOCH + timedelta(days=int(cell))
    except ValueError:
        pass
    raise Bad("不是日期（如 1940-05-06）", "not a date (such as 1940-05-06)")


def _clock(cell: Cell, *, midnight_is_24: bool) -> str | None:
    if isinstance(cell, datetime):
        cell = cell.time()
    if isinstance(cell, time):
        return cell.strftime("%H:%M")
    text = _plain(cell)
    if not text:
        return None
    match = _TIME.fullmatch(text)
    if match:
        hour, minute = int(match[1]), int(match[2])
        if (hour < 24 and minute < 60) or (midnight_is_24 and (hour, minute) == (24, 0)):
            return f"{hour:02d}:{minute:02d}"
    raise Bad("应为 时:分（如 08:30）", "expected HH:MM (such as 08:30)")


def clock_from(cell: Cell) -> str | None:
    return _clock(cell, midnight_is_24=False)


def clock_to(cell: Cell) -> str | None:
    return _clock(cell, midnight_is_24=True)


def priority(cell: Cell) -> int | None:
    text = _plain(cell)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) < 1:
        raise Bad("应为 1 到 999 的整数", "expected a whole number from 1 to 999")
    return int(text)


def yes_or_no(cell: Cell) -> bool:
    text = _plain(cell).lower()
    if text in _YES:
        return True
    if text in _NO or not text:  # consent that nobody gave is no consent
        return False
    raise Bad("应为 是 或 否", "expected 是/1/true or 否/0/false")


def _degrees(cell: Cell, limit: float) -> float | None:
    text = _plain(cell)
    if not text:
        return None
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{1,15})?", text) or abs(float(text)) > limit:
        raise Bad(f"应在 -{limit:g} 到 {limit:g} 之间", f"expected a number from -{limit:g} to {limit:g}")
    return float(text)


def latitude(cell: Cell) -> float | None:
    return _degrees(cell, 90)


def longitude(cell: Cell) -> float | None:
    return _degrees(cell, 180)


def pin(cell: Cell) -> str | None:
    text = _plain(cell)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{4,12}", text):
        raise Bad("应为 4 到 12 位数字", "expected 4 to 12 digits")
    return text
