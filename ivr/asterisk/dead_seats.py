"""A seat whose telephone has died while it is in a room: its leg is ended, so that the room speaks to the elder again
and others are rung. Asterisk itself waits 30 s for a voice (`rtp_timeout`), and a present seat keeps all others away.

What is said of the telephone's registration is only the occasion: a browser that merely lost its connection registers
again within a second, and its call goes on. Whether anything still comes from the telephone decides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ivr.asterisk.ami import AmiError, AmiEvent, AmiRefused
from ivr.asterisk.link import AsteriskLink

log = logging.getLogger(__name__)

QUIET_S = 3.0
"""Not one packet in this time, from a telephone that does not answer: it is dead. One that is silent while its user is
(few are) still answers."""
GONE = ("Unreachable", "Removed")
PACKETS = "CHANNEL(rtcp,rxcount)"


class SeatLegs(Protocol):
    async def seat_in_room(self, extension: str) -> list[str]:
        """Uniqueids of this seat's legs that talk in a room."""
        ...


class DeadSeats:
    def __init__(self, link: AsteriskLink, legs: SeatLegs, hang_up: Callable[[str], Awaitable[None]]) -> None:
        self._link = link
        self._legs = legs
        self._hang_up = hang_up
        self._answers: dict[str, str] = {}  # extension -> the contact that answers
        self._gone: set[str] = set()  # no contact of theirs does
        self._suspects: dict[str, str] = {}  # the contact whose calls may be dead
        self._watches: dict[str, asyncio.Task[None]] = {}

    def heard(self, event: AmiEvent) -> None:
        """A ContactStatus."""
        extension, contact = event["aor"], event["uri"]
        if not extension.isdigit():
            return
        if event["contactstatus"] not in GONE:
            self._answers[extension] = contact
            self._gone.discard(extension)
            if self._suspects.get(extension) == contact:
                del self._suspects[extension]  # the same telephone; another one may know nothing of the call
            return
        if self._answers.get(extension, contact) == contact:
            self._gone.add(extension)
        self._suspects[extension] = contact
        if extension not in self._watches:
            watch = asyncio.create_task(self._watch(extension), name=f"seat-{extension}")
            self._watches[extension] = watch
            watch.add_done_callback(lambda _done: self._watches.pop(extension, None))

    def is_gone(self, extension: str) -> bool:
        """No telephone of this seat answers, whatever calls it still has."""
        return extension in self._gone

    async def _watch(self, extension: str) -> None:
        """Until the telephone answers again, or none of its calls is left in a room."""
        try:
            while extension in self._suspects and (talking := await self._legs.seat_in_room(extension)):
                before = {one: await self._packets(one) for one in talking}
                await asyncio.sleep(QUIET_S)
                if extension not in self._suspects:
                    return
                for one in talking:
                    now = await self._packets(one)
                    if now is not None and now == before[one]:
                        log.warning("seat %s: its telephone is gone and sends nothing, its leg is ended", extension)
                        await self._hang_up(one)
        except Exception as exc:
            log.error("seat %s could not be watched: %s", extension, type(exc).__name__)

    async def _packets(self, uniqueid: str) -> int | None:
        """How many have come from this telephone; None when that cannot be known: then nothing is ended."""
        try:
            answer = await self._link.act("Getvar", Channel=uniqueid, Variable=PACKETS)
        except AmiRefused:
            return None  # no such channel any more
        except AmiError as exc:
            log.warning("a seat's packets are not known: %s", exc)
            return None
        return int(answer["value"]) if answer["value"].isdigit() else None
