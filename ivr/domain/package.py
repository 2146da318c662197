"""What a hospital or 120 is told about an incident, as one structure (docs/package.md). Standard library only.

Fields are added, never renamed; what is not known is null, never left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from ivr.domain.geography import Point, bearing, distance_km
from ivr.domain.meanings import DISTRESS

VERSION = 1
WORSE = ("incident.alarm_joined", "incident.worsened", "speech.heard")
"""Kinds of events after which those who were told are told again; of what was heard only distress."""


@dataclass(frozen=True, slots=True)
class Patient:
    elder_no: str
    name: str
    sex: str | None = None
    birth_date: date | None = None
    phones: tuple[str, ...] = ()
    dialect: str | None = None
    address: str | None = None
    district: str | None = None
    access: str | None = None
    notes: str | None = None
    medical: str | None = None
    home: Point | None = None

    def __repr__(self) -> str:  # stays out of logs and tracebacks
        return "Patient(…)"


@dataclass(frozen=True, slots=True)
class Relative:
    name: str
    relation: str | None
    phone: str

    def __repr__(self) -> str:
        return "Relative(…)"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that became known: an alarm, a word that was heard, somebody reached."""

    at: datetime
    kind: str
    what: str
    note: str | None = None
    location: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    incident_id: str
    opened_at: datetime
    centre_phone: str
    patients: Sequence[Patient] = ()  # several when they share the number and nobody has said which
    relatives: Sequence[Relative] = ()
    said: Sequence[Said] = field(default=())
    reported: Point | None = None  # where he is by his device
    target: Point | None = None
    going: Sequence[dict[str, str]] = ()


def is_worse(kind: str, data: dict[str, Any]) -> bool:
    return kind in WORSE and (kind != "speech.heard" or str(data.get("meaning", "")).startswith("distress."))


def what_was_heard(meaning: str) -> str:
    return DISTRESS.get(meaning, meaning)


def contents(facts: Facts, package_id: str, number: int, now: datetime) -> dict[str, Any]:
    """The whole body, ready for JSON."""
    sure = facts.patients[0] if len(facts.patients) == 1 else None
    where = facts.reported or (sure.home if sure else None)
    return {
        "version": VERSION,
        "package_id": package_id,
        "number": number,
        "incident_id": facts.incident_id,
        "opened_at": _time(facts.opened_at),
        "made_at": _time(now),
        "centre": {"phone": facts.centre_phone},
        "patient": _patient(sure, now) if sure else None,
        "possible_patients": [] if sure else [_patient(one, now) for one in facts.patients],
        "location": {
            "reported": _point(facts.reported),
            "home": _point(sure.home) if sure else None,
            "route": _route(where, facts.target),
        },
        "contacts": [{"name": one.name, "relation": one.relation, "phone": one.phone} for one in facts.relatives],
        "said": [
            {"at": _time(one.at), "kind": one.kind, "text": one.what, "note": one.note, "location": one.location}
            for one in facts.said
        ],
        "on_the_way": list(facts.going),
    }


def _patient(one: Patient, now: datetime) -> dict[str, Any]:
    return {
        "elder_no": one.elder_no,
        "name": one.name,
        "sex": one.sex,
        "birth_date": one.birth_date.isoformat() if one.birth_date else None,
        "age": _age(one.birth_date, now.date()),
        "phones": list(one.phones),
        "dialect": one.dialect,
        "address": one.address,
        "district": one.district,
        "how_to_get_in": one.access or one.notes,
        "notes": one.notes,
        "illnesses_and_medicines": one.medical,
    }


def _age(born: date | None, today: date) -> int | None:
    if born is None or born > today:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _route(where: Point | None, target: Point | None) -> dict[str, Any] | None:
    """From the hospital to the elder. A hint: the crow's way, not the road's."""
    if where is None or target is None:
        return None
    return {
        "from": _point(target),
        "to": _point(where),
        "distance_km": round(distance_km(target, where), 2),
        "direction": bearing(target, where),
    }


def _point(where: Point | None) -> dict[str, float] | None:
    return {"lat": where.lat, "lng": where.lng} if where else None


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
