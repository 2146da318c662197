"""What one look at a storm means: whose lines live, who waits, and for whom a person is looked for, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ivr.domain import storm
from ivr.domain.incident import Role
from ivr.domain.storm import Triage
from ivr.services.storm_ports import LiveLeg, OpenIncident, StormLook

PACED = (Triage.HELP, Triage.SILENT, Triage.NO_ANSWER, Triage.PENDING, Triage.CALLING, Triage.SAFE)


class TrunkCount:
    """Lines that hold a call now: those of the last look, and what was begun since. Between the two a dial may be
    counted twice, never not at all."""

    def __init__(self) -> None:
        self._seen = self._seen_on_record = 0
        self._begun = self._on_record = self._before_look = 0

    @property
    def now(self) -> int:
        return self._seen + self._begun - self._seen_on_record

    @property
    def not_on_record(self) -> int:
        return self._begun - self._on_record

    def looking(self) -> None:
        """The record is read now: all that is on record by now will be seen."""
        self._before_look = self._on_record

    def looked(self, lines: int) -> None:
        self._seen, self._seen_on_record = lines, self._before_look

    @contextmanager
    def dialling(self, lines: int) -> Iterator[None]:
        """These lines are taken from before they are on record."""
        self._begun += lines
        try:
            yield
        finally:
            self._on_record += lines


class Lines:
    """The living legs of one look, by what they mean."""

    def __init__(self, seen: StormLook, by_id: dict[str, OpenIncident]) -> None:
        self.asking = self.family_paced = self.others = 0
        self.callers: set[str] = set()
        self.on_the_line: set[str] = set()
        self.staffed: set[str] = set()
        self.touched: set[str] = set()  # has any living leg
        self.attended: set[str] = set()  # has one that the runner has to look after
        self.family_of: Counter[str] = Counter()
        self.seats: dict[str, str] = {}
        self.duty_for: str | None = None
        for leg in seen.live:
            self._one(leg, by_id.get(leg.incident_id))

    @property
    def all(self) -> int:
        return self.asking + self.family_paced + self.others

    def _one(self, leg: LiveLeg, incident: OpenIncident | None) -> None:
        self.touched.add(leg.incident_id)
        if incident is not None and leg.uniqueid == incident.attempt and not leg.accepted:
            self.asking += 1
            return
        self.attended.add(leg.incident_id)
        match leg.role:
            case Role.AGENT:
                self.seats[leg.phone] = leg.incident_id
                if leg.accepted:
                    self.staffed.add(leg.incident_id)
                return  # a seat is no line of the trunk
            case Role.FAMILY:
                self.family_of[leg.incident_id] += 1
            case Role.SUPERVISOR:
                self.duty_for = leg.incident_id
                if leg.accepted:
                    self.staffed.add(leg.incident_id)
            case Role.ELDER:
                self.on_the_line.add(leg.incident_id)
                if leg.came_to_us:
                    self.callers.add(leg.incident_id)
        paced = incident is not None and incident.triage in PACED and not incident.family_started
        if leg.role is Role.FAMILY and not leg.accepted and paced:
            self.family_paced += 1
        else:
            self.others += 1


def waiting(seen: StormLook) -> list[OpenIncident]:
    """Nobody is there, nobody has been, and nobody is on the line."""
    with_line = {
        leg.incident_id
        for leg in seen.live
        if leg.accepted or leg.came_to_us or (leg.role is Role.ELDER and leg.answered)
    }
    return [
        one
        for one in seen.open
        if one.triage is not Triage.SAFE and one.id not in seen.served and one.id not in with_line
    ]


def ranked(seen: StormLook, lines: Lines) -> list[str]:
    """Those for whom a person is looked for, the most urgent first; among equals who has waited longest."""
    wanted = [
        one
        for one in seen.open
        if one.id not in lines.staffed
        and (one.id in lines.on_the_line or (one.id not in seen.served and one.triage is not Triage.SAFE))
        and (one.triage is not Triage.CALLING or one.id in lines.on_the_line)
        and not one.held_back
    ]
    wanted.sort(
        key=lambda one: (
            -storm.rank(one.risk, on_the_line=one.id in lines.on_the_line, called_us=one.id in lines.callers),
            one.opened_at,
            one.id,
        )
    )
    return [one.id for one in wanted]
