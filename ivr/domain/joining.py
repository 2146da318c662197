"""What belongs together: retries of one message, messages that raise nothing by themselves, and wrong clocks."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from ivr.domain.incident import NewAlarm

QUIET = frozenset({"location", "cancel"})
"""They say more about an alarm and are none. Alone they wait `join_window_s` for theirs before anybody is dialled."""


def fingerprint(new: NewAlarm) -> str | None:
    """Of all that was said; None for what has a key or is a call (its channel is the key)."""
    if new.idempotency_key is not None or new.call is not None:
        return None
    said = [new.source, new.kind, new.device_id, new.phone, new.elder_no, new.at and new.at.isoformat(), new.note]
    text = json.dumps([*said, new.location], ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def clock_off_s(new: NewAlarm, now: datetime, tolerance_s: float) -> int | None:
    """How far the sender's clock stands from ours, where that is more than any journey of a message explains.

    A signed message says when it was sent; of an unsigned one only `at` is known, which may honestly be long ago.
    """
    if new.sent_at is not None:
        off = (new.sent_at - now).total_seconds()
        return _whole(off) if abs(off) > tolerance_s else None
    if new.at is None:
        return None
    off = (new.at - now).total_seconds()
    return _whole(off) if off > tolerance_s or off < -24 * 3600 else None


def _whole(seconds: float) -> int:
    return int(max(-(2**31) + 1, min(2**31 - 1, seconds)))
