"""An incident and its legs: the words and the states. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    ELDER = "elder"
    AGENT = "agent"
    FAMILY = "family"
    WORKER = "worker"
    HOSPITAL = "hospital"
    SUPERVISOR = "supervisor"  # the duty phone too: a person of the centre who is not seated


NOT_HIS = 1000
"""Priority, behind every contact's (1 to 999), of a relative who was dialled before it was known that it is another
family's elder: neither dialled again nor let in."""


class LegState(StrEnum):
    WAITING = "waiting"  # on the list, not dialled yet
    DIALLED = "dialled"
    RINGING = "ringing"
    ANSWERED = "answered"  # somebody or something answered: a voicemail answers too
    ACCEPTED = "accepted"  # a person said yes and is in the room
    ENDED = "ended"


class Outcome(StrEnum):
    """How a leg's last attempt ended."""

    TALKED = "talked"  # was in the room
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    NOT_CONFIRMED = "not_confirmed"  # answered, nobody pressed 1: voicemail, or a child
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    CANCELLED = "cancelled"  # we stopped it: somebody else was first, or the incident closed
    HUNG_UP = "hung_up"
    LOST = "lost"  # we do not know: it counts as not made


@dataclass(frozen=True, slots=True)
class ArrivedCall:
    """An inbound call as Asterisk described it."""

    node: str
    uniqueid: str
    linkedid: str
    did: str
    caller_id: str  # normalised digits, may be empty


@dataclass(frozen=True, slots=True)
class NewAlarm:
    """What raises an incident, whatever way it came. `phone` is normalised."""

    source: str
    kind: str
    device_id: str | None = None
    phone: str | None = None
    elder_no: str | None = None
    at: datetime | None = None
    note: str | None = None
    location: dict[str, Any] | None = None
    idempotency_key: str | None = None
    call: ArrivedCall | None = None
    needs_look: bool = False
    sent_at: datetime | None = None
    """When the sender of a signed message says that it was sent."""


@dataclass(frozen=True, slots=True)
class Raised:
    """Where an alarm went."""

    incident_id: str
    joined: bool
    repeated: bool = False  # same idempotency key seen before
    call_id: str | None = None


class UnknownElder(Exception):
    """No elder has this elder_no."""


class UnknownIncident(Exception):
    """No incident has this id."""


class NotArrived(Exception):
    """Nobody is known to have arrived: closing needs an explanation."""


class AlreadyClosed(Exception):
    """The incident was closed before."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody wants this leg; counted from then on. Without an offer it was a person."""

    since: datetime
    offer_id: str | None = None
    attempts: int = 0  # since then, lost ones not counted
    lost: int = 0
    last_accepted: datetime | None = None

    @property
    def accepted(self) -> bool:
        return self.last_accepted is not None


@dataclass(slots=True)
class LegView:
    """A leg as the runner decides on it; times are those of the last attempt, seconds since something monotonic-like
    are computed by the caller from `now`."""

    id: str
    role: Role
    phone: str
    priority: int
    state: LegState
    attempts: int  # attempts that count; lost ones do not
    lost: int = 0
    attempt_id: str | None = None  # live or last
    live: bool = False
    dialled_at: datetime | None = None
    answered_at: datetime | None = None
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    ever_accepted: bool = False
    ring_until: datetime | None = None
    """Asterisk has given this dial up by then; where it has not, its clock was set back."""
    outcome: Outcome | None = None
    available: bool = True
    wish: Wish | None = None

    @property
    def is_not_his(self) -> bool:
        """A relative of another elder, as a person has found out."""
        return self.role is Role.FAMILY and self.priority >= NOT_HIS


@dataclass(slots=True)
class IncidentView:
    """All the runner needs to decide about one incident."""

    id: str
    opened_at: datetime
    closed: bool
    elder_phone: str | None
    legs: list[LegView] = field(default_factory=list)
    family: str | None = None
    """`cascade.Family`, as a person said."""
    cries: int = 0
    """How often he cried for help again since the family's search began: each is worth another round."""
    elder_lost_since: datetime | None = None
    """His own call ended then; None when he never called, or is on the line."""
    elder_redials: int = 0
    """How often he was called since then (or at all)."""
    elder_met: bool = False
    """A person of the centre and he were in the room together, in his last call or since."""
    awaited_since: datetime | None = None
    """Somebody was sent then: a worker was offered the way, or a worker or a hospital was wanted."""
    arrived: bool = False
    elder_last_called: datetime | None = None
    """End of the last call with him or to him."""
    recalls_missed: int = 0
    """Calls to him since somebody was sent, and since he last spoke with us, that reached nobody."""
    worse: bool = False
    """His newest alarm is a worse answer of his own."""
    hospital_allowed: bool = False
    """The elder's file allows that the hospital or 120 is rung when nobody of the centre can be had."""
    dial_after: datetime | None = None
    """Only a location or a cancel has come so far: until then nobody is dialled."""

    def of(self, *roles: Role) -> list[LegView]:
        return [leg for leg in self.legs if leg.role in roles]
