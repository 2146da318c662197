"""Where everything lies on the common time axis of an exported incident. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent_console.api.shapes import EventOut, IncidentOut
from agent_console.queries.exports import Clip

LEAST = timedelta(seconds=10)
NOT_ON_AXIS = ("file.viewed", "incident.exported", "incident.closed", "incident.looked_at", "recording.removed")
"""Often days later: they are listed, and stretch no axis."""
_STEPS = {"leg.dialled": "dialled", "leg.answered": "answered", "leg.accepted": "accepted"}


@dataclass(frozen=True, slots=True)
class Axis:
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()

    def at(self, moment: datetime) -> float:
        """Seconds from the start, within the axis."""
        return min(max((moment - self.start).total_seconds(), 0.0), self.seconds)

    def percent(self, moment: datetime) -> float:
        return round(100 * self.at(moment) / self.seconds, 3)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of one leg: `dialled`, `answered` (somebody or something) or `accepted` (in the room)."""

    leg_id: str
    state: str
    start: datetime
    end: datetime


def axis_of(incident: IncidentOut, clips: Sequence[Clip]) -> Axis:
    moments = [incident.opened_at]
    moments += [event.at for event in incident.events if event.kind not in NOT_ON_AXIS]
    moments += [leg.ended_at for leg in incident.legs if leg.ended_at]
    for clip in clips:
        moments += [clip.began_at, clip.began_at + timedelta(seconds=clip.seconds)]
    start = min(moments)
    return Axis(start, max(*moments, start + LEAST))


def bars_of(incident: IncidentOut, axis: Axis) -> list[Bar]:
    """Every attempt of every leg, from the journal; an elder's own line begins with his call."""
    bars: list[Bar] = []
    since: dict[str, tuple[str, datetime]] = {
        leg.id: ("dialled", leg.dialled_at)
        for leg in incident.legs
        if leg.role == "elder" and leg.dialled_at and not _was_dialled(leg.id, incident.events)
    }
    for event in incident.events:
        leg_id = str((event.model_extra or {}).get("leg_id") or "")
        if not leg_id or not event.kind.startswith("leg."):
            continue
        if leg_id in since and (event.kind in _STEPS or event.kind == "leg.ended"):
            state, start = since.pop(leg_id)
            bars.append(Bar(leg_id, state, start, event.at))
        if event.kind in _STEPS:
            since[leg_id] = (_STEPS[event.kind], event.at)
    bars += [Bar(leg_id, state, start, axis.end) for leg_id, (state, start) in since.items()]
    return bars


def _was_dialled(leg_id: str, events: Sequence[EventOut]) -> bool:
    return any(one.kind == "leg.dialled" and (one.model_extra or {}).get("leg_id") == leg_id for one in events)
