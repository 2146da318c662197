"""Checks the chains of incidents one after another, and the recordings that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ivr.domain.chain import Broken, Chain, Fault, Row, check
from ivr.record.shelf import Shelf


class Chains(Protocol):
    async def ids(self) -> list[str]: ...
    async def of(self, incident_id: str) -> tuple[Chain | None, list[Row]]:
        """The chain as the incident's row has it (None: no such row), and the journal's rows."""
        ...

    async def without_incident(self) -> list[str]:
        """Ids that events name and that are no incident."""
        ...


@dataclass(frozen=True, slots=True)
class Finding:
    incident_id: str
    what: str
    seq: int


@dataclass(slots=True)
class Report:
    incidents: int = 0
    events: int = 0
    audio: int = 0
    older: int = 0
    """Events from before there were chains: not covered."""
    older_until: int = 0
    unknown: list[str] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.broken and not self.unknown


Anchored = Mapping[str, Sequence[tuple[int, str]]]


async def verify(
    chains: Chains,
    wanted: Sequence[str] = (),
    *,
    anchors: Anchored | None = None,
    shelf: Shelf | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Report:
    """Every chain, or those that are wanted. `shelf`: recordings are held against their hashes too."""
    anchors = anchors or {}
    report = Report()
    ids = list(dict.fromkeys(wanted))
    if not wanted:
        known = await chains.ids()
        ids = sorted({*known, *anchors, *await chains.without_incident()})
    for done, incident_id in enumerate(ids):
        tell(done, len(ids))
        chain, rows = await chains.of(incident_id)
        if chain is None:
            _without_row(report, incident_id, rows, anchored=incident_id in anchors)
            continue
        report.incidents += 1
        report.events += len(rows)
        if older := [row.seq for row in rows if row.seq <= chain.after]:
            report.older += len(older)
            report.older_until = max(report.older_until, older[-1])
        fault = check(chain, rows, anchors.get(incident_id, ()))
        if fault is not None:
            report.broken.append(_finding(incident_id, fault))
        elif shelf is not None:
            _audio(report, shelf, incident_id, rows)
    tell(len(ids), len(ids))
    return report


def _without_row(report: Report, incident_id: str, rows: Sequence[Row], *, anchored: bool) -> None:
    if rows or anchored:
        report.broken.append(Finding(incident_id, Fault.NO_INCIDENT, rows[0].seq if rows else 0))
    else:
        report.unknown.append(incident_id)


def _finding(incident_id: str, broken: Broken) -> Finding:
    return Finding(incident_id, broken.fault, broken.seq)


def _audio(report: Report, shelf: Shelf, incident_id: str, rows: Sequence[Row]) -> None:
    """What the chain says of each recording, against the file; one that was removed in due time is gone."""
    removed = {row.content.data.get("file") for row in rows if row.content.kind == "recording.removed"}
    for row in rows:
        file, said = row.content.data.get("file"), row.content.data.get("sha256")
        if row.content.kind != "recording.ended" or row.number is None or said is None or file in removed:
            continue
        report.audio += 1
        try:
            is_now = shelf.sha256(str(file))
        except ValueError:
            is_now = None
        if is_now != said:
            what = "audio_missing" if is_now is None else "audio_changed"
            report.broken.append(Finding(incident_id, what, row.seq))
