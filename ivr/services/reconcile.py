"""Our record against Asterisk's own state: what ended while nobody was listening has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from ivr import clock
from ivr.domain.incident import Outcome
from ivr.services.ports import Calls, Legs

log = logging.getLogger(__name__)

# An Originate's channel and an arriving call's row appear within milliseconds of each other, in either order.
GRACE_S = 5.0
# Of a record that a dead engine made: its Originate was sent before its end or never will be, so there is nothing in
# flight to wait for. With 5 s an incident stood still for up to 5.2 s after a kill.
ORPHAN_S = 1.0


async def place_callers(calls: Calls, waiting: Mapping[str, int], with_whom: Mapping[str, str | None]) -> None:
    """Routine callers who were queued, or got a person, while nobody was listening: on record now.

    `waiting`: uniqueid -> place in the queue. `with_whom`: uniqueid -> the seat's extension, None for the duty phone.
    The times are those of finding out; how long he had waited is not known any more.
    """
    if not waiting and not with_whom:
        return
    for uniqueid, (queued, connected) in (await calls.places()).items():
        if not queued and uniqueid in waiting:
            await calls.queued(uniqueid, waiting[uniqueid])
        if not connected and uniqueid in with_whom:
            await calls.connected(uniqueid, with_whom[uniqueid], 0.0)
    for uniqueid in await calls.parked_now():
        if seat := with_whom.get(uniqueid):
            await calls.returned(uniqueid, seat)


def _on_our_time(started: datetime | None, now: datetime) -> datetime | None:
    """Asterisk says by the wall clock when it began; our stamps may be ahead of that. A clock that was set back since
    makes it begin in the future: then nothing is known."""
    up_s = (datetime.now(UTC) - started).total_seconds() if started is not None else -1.0
    return now - timedelta(seconds=up_s) if up_s >= 0 else None


async def reconcile(
    channels: Mapping[str, str],
    legs: Legs,
    calls: Calls,
    *,
    taken_at: datetime | None = None,
    asterisk_started: datetime | None = None,
    engine_started: datetime | None = None,
    look_again: Callable[[float], None] = lambda _seconds: None,
) -> int:
    """Compare with the node's channels (uniqueid -> state); returns how many records were put right.

    `taken_at`: when the channels were read. In a storm that was seconds ago, and nobody dialled since is among them:
    judged by the time now, every fresh dial was lost, and asking came to a halt.

    `look_again(seconds)` is called for a record that has no channel and is still too young to judge. One that is older
    than this engine is judged sooner.

    A leg whose channel is gone ends as `lost` unless its fate was known: a lost dial is made again. One that is older
    than Asterisk itself was torn: whoever was in the room has been lost too.
    """
    now = taken_at or clock.now()
    started = _on_our_time(asterisk_started, clock.now())
    mended = 0

    def too_young_s(since: datetime) -> float:
        grace_s = ORPHAN_S if engine_started is not None and since < engine_started else GRACE_S
        return grace_s - (now - since).total_seconds()

    for uniqueid, since in (await legs.live()).items():
        torn = started is not None and since < started
        if uniqueid in channels:
            if channels[uniqueid].lower() == "up":
                await legs.answered(uniqueid)
            elif channels[uniqueid].lower() == "ringing":
                await legs.ringing(uniqueid)
        elif torn or too_young_s(since) < 0:
            await legs.ended(uniqueid, Outcome.LOST, torn=torn)
            mended += 1
        else:
            look_again(too_young_s(since) + 0.2)
    for uniqueid, since in (await calls.live()).items():
        if uniqueid not in channels and too_young_s(since) < 0:
            await calls.ended(uniqueid)
            mended += 1
    if mended:
        log.info("reconciled %d records with Asterisk", mended)
    return mended
