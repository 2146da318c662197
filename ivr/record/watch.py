"""Puts recordings on record. Asterisk makes them by itself; the engine finds them, at once or after a restart.

Woken by what the journal says of an incident; without that it looks every half minute at those that have not ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from ivr.domain.recordings import named
from ivr.record.shelf import STILL_S, Found, Shelf
from ivr.services.ports import StoreUnavailable

log = logging.getLogger(__name__)

SOON_S = 2.0
LOOKS = 4
"""So often a room is looked at after something happened in it: a leg enters after its prompt, a file is closed late."""
SELDOM_S = 30.0
WALK_EVERY = timedelta(hours=1)
CLEAN_AT_ONCE = 500


class Recordings(Protocol):
    async def started(self, file: str, incident_id: str, uniqueid: str | None, began_at: datetime) -> bool:
        """Journal it once; False when the incident is on no record."""
        ...

    async def ended(self, found: Found, sha256: str) -> None: ...
    async def state(self, rooms: Collection[str]) -> dict[str, str]:
        """File -> `live`, `ended` or `removed`, of all that is on record."""
        ...

    async def live_rooms(self) -> set[str]: ...
    async def has_legs(self, incident_id: str) -> bool:
        """Whether any leg of it lives, as far as is on record."""
        ...

    async def over(self, before: datetime, limit: int) -> list[str]:
        """Files of closed incidents that ended earlier and are still there."""
        ...

    async def removed(self, file: str) -> None: ...


def _now() -> datetime:
    return datetime.now(UTC)  # held against files' times: those are the wall clock's, ours may be ahead of it


class RecordingWatch:
    def __init__(
        self, shelf: Shelf, recordings: Recordings, keep_days: int, clock: Callable[[], datetime] = _now
    ) -> None:
        self._shelf = shelf
        self._recordings = recordings
        self._keep_days = keep_days
        self._clock = clock
        self._hot: dict[str, int] = {}
        self._bell = asyncio.Event()

    def wake(self, incident_id: str, kind: str) -> None:
        """Something happened in this incident; our own entries are no news."""
        if not kind.startswith("recording."):
            self._hot[incident_id] = LOOKS
            self._bell.set()

    async def run(self) -> None:
        """Until cancelled."""
        walked: datetime | None = None
        while True:
            try:
                if walked is None or self._clock() - walked >= WALK_EVERY:
                    await self.look(await asyncio.to_thread(self._shelf.rooms))
                    await self.clean()
                    walked = self._clock()
                else:
                    await self.look({*self._hot, *await self._recordings.live_rooms()})
                self._hot = {room: left - 1 for room, left in self._hot.items() if left > 1}
            except StoreUnavailable:
                log.warning("recordings are put on record later: the database does not answer")
            except Exception as exc:
                log.error("recordings: %s", type(exc).__name__)
            self._bell.clear()
            if not self._hot:
                try:
                    async with asyncio.timeout(SELDOM_S):
                        await self._bell.wait()
                except TimeoutError:
                    continue
            await asyncio.sleep(SOON_S)

    async def look(self, rooms: Iterable[str]) -> None:
        """Journal what began and what has ended in these rooms. Raises StoreUnavailable."""
        wanted = sorted(rooms)
        found = await asyncio.to_thread(self._shelf.look, wanted)
        if not found:
            return
        known = await self._recordings.state({one.file.partition("/")[0] for one in found})
        for one in found:
            state = known.get(one.file)
            if state == "removed":  # removed on record, and we went down before it was done
                await asyncio.to_thread(self._shelf.remove, one.file)
            elif state is None:
                await self._begin(one)
            elif state == "live":
                await self._end(one)

    async def _begin(self, one: Found) -> None:
        who = named(one.file)
        assert who is not None, "the shelf gives only such"
        began_at = datetime.fromtimestamp(one.began_at, UTC)
        if await self._recordings.started(one.file, who.incident_id, who.uniqueid, began_at):
            await self._end(one)

    async def _end(self, one: Found) -> None:
        still_s = self._clock().timestamp() - one.changed_at
        if not one.whole:
            # Still while somebody is there: the disk is full, and Asterisk may write on when it has room again.
            if still_s < STILL_S or await self._recordings.has_legs(one.file.partition("/")[0]):
                return
            await asyncio.to_thread(self._shelf.mend, one.file)
        digest = await asyncio.to_thread(self._shelf.sha256, one.file)
        if digest is not None:
            await self._recordings.ended(one, digest)

    async def clean(self) -> None:
        """What has been kept long enough: on record first, then gone. Raises StoreUnavailable."""
        if self._keep_days == 0:
            return
        before = self._clock() - timedelta(days=self._keep_days)
        for file in await self._recordings.over(before, CLEAN_AT_ONCE):
            await self._recordings.removed(file)
            await asyncio.to_thread(self._shelf.remove, file)
