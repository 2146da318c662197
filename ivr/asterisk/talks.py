"""Which seat talks with which ordinary caller, and the two channels of it: what a break-in needs to know.

From Asterisk's events, put right by each snapshot; nobody's truth, only the way to the channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ivr import clock
from ivr.asterisk.ami import AmiEvent
from ivr.asterisk.snapshot import Channel

_TALKING = ("Queue", "Dial")
"""What a routine caller's channel runs while he talks; one in a room runs ConfBridge."""
CALLERS = "PJSIP/trunk-"


@dataclass(frozen=True, slots=True)
class Talk:
    extension: str
    caller_uniqueid: str
    caller_channel: str
    seat_uniqueid: str
    seat_channel: str
    since: datetime


class Talks:
    def __init__(self) -> None:
        self._by_extension: dict[str, Talk] = {}

    def all(self) -> dict[str, Talk]:
        return dict(self._by_extension)

    def connected(self, event: AmiEvent) -> None:
        """AgentConnect or DialEnd: the caller's channel, and the seat's as `Dest…`."""
        caller, seat = event["channel"], event["destchannel"]
        extension = extension_of(seat)
        if caller.startswith(CALLERS) and extension:
            self._by_extension[extension] = Talk(
                extension, event["uniqueid"], caller, event["destuniqueid"], seat, clock.now()
            )

    def gone(self, uniqueid: str) -> None:
        """A channel has ended, the caller's or the seat's."""
        for talk in list(self._by_extension.values()):
            if uniqueid in (talk.caller_uniqueid, talk.seat_uniqueid):
                del self._by_extension[talk.extension]

    def take(self, extension: str) -> Talk | None:
        """For one break-in only: whoever asks next finds nothing here."""
        return self._by_extension.pop(extension, None)

    def agree_with(self, channels: Iterable[Channel]) -> None:
        """Asterisk's own list: talks that began or ended while nobody was listening."""
        in_bridge: dict[str, list[Channel]] = {}
        for channel in channels:
            if channel.bridge:
                in_bridge.setdefault(channel.bridge, []).append(channel)
        found: dict[str, Talk] = {}
        for pair in in_bridge.values():
            caller = next((c for c in pair if c.name.startswith(CALLERS) and c.application in _TALKING), None)
            seat = next((c for c in pair if extension_of(c.name)), None)
            if len(pair) != 2 or caller is None or seat is None:
                continue
            extension = extension_of(seat.name)
            known = self._by_extension.get(extension)
            since = known.since if known and known.caller_uniqueid == caller.uniqueid else clock.now()
            found[extension] = Talk(extension, caller.uniqueid, caller.name, seat.uniqueid, seat.name, since)
        self._by_extension = found


def extension_of(channel: str) -> str:
    """`PJSIP/1001-0000002a` is 1001's; empty for a channel that is no seat's."""
    technology, _, rest = channel.partition("/")
    extension = rest.rpartition("-")[0]
    return extension if technology == "PJSIP" and extension.isdigit() else ""
