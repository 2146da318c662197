"""Asterisk's own state at one moment: what is true after the manager interface was away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ivr import clock
from ivr.asterisk.ami import AmiEvent


@dataclass(frozen=True, slots=True)
class Channel:
    uniqueid: str
    linkedid: str
    state: str
    name: str = ""
    bridge: str = ""
    """The bridge's id; empty for a channel that is alone."""
    application: str = ""
    context: str = ""
    exten: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A queue's member as Asterisk keeps it."""

    interface: str
    paused: bool
    reason: str = ""
    """Why it is paused."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Read on the session that hears: what follows in the queue is newer."""

    channels: dict[str, Channel]
    members: dict[str, Member]
    asterisk_started: datetime | None
    waiting: dict[str, str] = field(default_factory=dict)
    """Who is in the routine queue: uniqueid -> channel."""
    places: dict[str, int] = field(default_factory=dict)
    """Uniqueid -> place in the routine queue."""
    taken_at: datetime = field(default_factory=clock.now)
    """Before the channels were read: who was dialled later cannot be among them."""

    def parked_seats(self) -> set[str]:
        """Extensions of the seats whose caller was parked for an emergency and waits for them."""
        return {channel.exten for channel in self.channels.values() if channel.context == "parked"}

    def with_whom(self) -> dict[str, str | None]:
        """Uniqueid of a trunk's channel -> extension of the seat it is bridged with, None for a duty phone."""
        found: dict[str, str | None] = {}
        for caller in self.channels.values():
            if not caller.bridge or not caller.name.startswith("PJSIP/trunk-"):
                continue
            others = [c for c in self.channels.values() if c.bridge == caller.bridge and c is not caller]
            if len(others) == 1 and others[0].name.startswith("PJSIP/"):
                seat = others[0].name.removeprefix("PJSIP/").rpartition("-")[0]
                found[caller.uniqueid] = None if seat == "trunk" else seat
        return found


def snapshot(status: AmiEvent, channels: Iterable[AmiEvent], queue: Iterable[AmiEvent]) -> Snapshot:
    """From the answers to CoreStatus, CoreShowChannels and QueueStatus."""
    queue = list(queue)
    return Snapshot(
        {
            c["uniqueid"]: Channel(
                c["uniqueid"],
                c["linkedid"],
                c["channelstatedesc"],
                c["channel"],
                c["bridgeid"],
                c["application"],
                c["context"],
                c["exten"],
            )
            for c in channels
            if c.name == "CoreShowChannel"
        },
        {
            m["location"]: Member(m["location"], m["paused"] == "1", m["pausedreason"])
            for m in queue
            if m.name == "QueueMember"
        },
        _started(status),
        {e["uniqueid"]: e["channel"] for e in queue if e.name == "QueueEntry"},
        {e["uniqueid"]: int(e["position"]) for e in queue if e.name == "QueueEntry" and e["position"].isdigit()},
    )


def _started(status: AmiEvent) -> datetime | None:
    """CoreStatus gives local date and time without a zone (manager.c)."""
    try:
        text = f"{status['corestartupdate']} {status['corestartuptime']}"
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").astimezone()
    except ValueError:
        return None
