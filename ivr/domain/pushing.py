"""When a package that was not taken is tried again, and when it is given up. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class PushPolicy:
    give_up_after_s: float = 2 * 3600.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0


def next_try(tries: int, queued_at: datetime, now: datetime, policy: PushPolicy) -> datetime | None:
    """After the `tries`-th failure: when to try again, or None to give up. Doubles up to a minute; the last try comes
    when the time is over, not before."""
    end = queued_at + timedelta(seconds=policy.give_up_after_s)
    if now >= end:
        return None
    pause_s = min(policy.longest_pause_s, policy.first_pause_s * 2.0 ** min(max(tries - 1, 0), 30))
    return min(now + timedelta(seconds=pause_s), end)
