"""Who a number belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Match:
    """What a calling number or a device says about the elder. Never a guess: two candidates are a choice."""

    elder_no: str | None = None
    choices: tuple[str, ...] = ()  # all who share the number, elder_no among them when there is one only
    device_id: str | None = None

    @property
    def is_device(self) -> bool:
        return self.device_id is not None


@dataclass(frozen=True, slots=True)
class Person:
    """An elder as a call speaks of him."""

    elder_no: str
    name: str
    address: str | None
    has_device: bool = False
    has_family: bool = False
    medical: str | None = None
    access: str | None = None
    """How to get in."""
    relative: tuple[str, str] | None = None
    """Relation and telephone of the first of the family."""
    heard: tuple[str, ...] = ()
    """Meanings of distress heard in the incident, the newest first; only of an incident."""

    def __repr__(self) -> str:  # names stay out of logs and tracebacks
        return "Person(…)"
