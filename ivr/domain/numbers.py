"""Telephone numbers as they arrive, and as we keep and dial them."""

from __future__ import annotations

import re

_DIALABLE = re.compile(r"[0-9]{3,15}")
_LANDLINE_86 = re.compile(r"860?[1-9][0-9]{9,10}")  # how trunks show 010-8888 8888: no number of ours begins so
_MOBILE = re.compile(r"1[3-9][0-9]{9}")


def normalise(number: str | None) -> str:
    """Digits only, national form: `+86 138-0000-0001`, `0086138…` and `0138…` are all `13800000001`; `+852…` is
    `00852…`, as it is dialled.

    Anything without a digit becomes the empty string, which matches nobody.
    """
    digits = re.sub(r"[^0-9]", "", number or "")
    for prefix in ("0086", "86", "0"):
        rest = digits.removeprefix(prefix)
        if rest != digits and _MOBILE.fullmatch(rest):
            return rest
    abroad = (number or "").strip().startswith("+") and not digits.startswith("00")
    if digits.startswith("0086") or (digits.startswith("86") and (abroad or _LANDLINE_86.fullmatch(digits))):
        rest = digits.removeprefix("00").removeprefix("86")
        return rest if rest.startswith("0") else "0" + rest
    return ("00" + digits if abroad and digits else digits)[:40]


def is_dialable(number: str) -> bool:
    """Only plain digits ever reach the dial string (`500&PJSIP/…` injection, asterisk-notes §5.2)."""
    return _DIALABLE.fullmatch(number) is not None


def masked(number: str | None) -> str:
    """`138****0001`: for lists and logs."""
    digits = number or ""
    if len(digits) < 7:
        return digits[:1] + "*" * max(0, len(digits) - 1)
    if len(digits) < 10:  # a local landline: three and four digits would be all of it
        return f"{digits[:2]}****{digits[-2:]}"
    return f"{digits[:3]}****{digits[-4:]}"
