"""What goes out: the shapes of DESIGN.md §5. Times are UTC and end in Z. Fields are added, never renamed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class ElderOut(BaseModel):
    elder_no: str
    name: str
    sex: str | None = None
    age: int | None = None
    phone: str | None = None
    mobile: str | None = None
    address: str | None = None
    district: str | None = None


class ContactOut(BaseModel):
    name: str
    relation: str | None
    phone: str
    priority: int
    available_from: str | None
    available_to: str | None


class ElderFile(ElderOut):
    birth_date: date | None = None
    medical: str | None = None
    notes: str | None = None
    dialect: str | None = None
    helper_no: str | None = None
    access: str | None = None
    lat: float | None = None
    lng: float | None = None
    contacts: list[ContactOut] = []


class AlarmOut(BaseModel):
    id: str
    source: str
    kind: str
    device_id: str | None
    phone: str | None
    elder_no: str | None
    at: datetime | None
    received_at: datetime
    note: str | None
    location: dict[str, Any] | None
    clock_off_s: int | None = None


class LegOut(BaseModel):
    """Times are those of the last attempt."""

    id: str
    role: str
    name: str
    phone: str
    state: str
    attempts: int
    dialled_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    wanted_at: datetime | None = None
    wanted_by: str | None = None
    worker_no: str | None = None
    not_his: bool = False
    """A relative of another elder, dialled before a person said who it is; not dialled again."""


class OfferOut(BaseModel):
    """The way offered to workers by phone, one after the other."""

    wanted_at: datetime
    wanted_by: str
    skill: str | None
    ended_at: datetime | None
    outcome: str | None


class PackageOut(BaseModel):
    """What is pushed to a hospital, as far as it has come; its contents are shown to nobody here."""

    id: str
    target: str
    number: int
    state: str
    tries: int
    why: str | None
    queued_at: datetime
    ended_at: datetime | None


class HelperOut(BaseModel):
    role: str
    worker_no: str | None
    name: str
    phone: str
    reasons: list[str]
    distance_km: float | None


class HelpersOut(BaseModel):
    """Workers, then hospitals, each best first; `left_out` are beyond the limit."""

    items: list[HelperOut]
    left_out: int


class SendOut(BaseModel):
    incident_id: str
    began: bool


class BoundOut(BaseModel):
    elder_no: str
    helper_no: str | None


class EventOut(BaseModel):
    """One row of the journal; what else is known about it stands beside these fields."""

    model_config = ConfigDict(extra="allow")

    seq: int
    at: datetime
    kind: str


class IncidentOut(BaseModel):
    id: str
    state: str
    elder: ElderFile | ElderOut | None
    elder_choices: list[ElderOut]
    needs_look: bool
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    reason: str | None
    family: str | None = None
    family_reason: str | None = None
    arrived_at: datetime | None = None
    arrived_by: str | None = None
    offer: OfferOut | None = None
    packages: list[PackageOut] = []
    unknown_device: bool = False
    refers_to: str | None = None
    others_open: list[str] = []
    """Other open incidents of the same elder: he was named by a person in one of them."""
    place: dict[str, Any] | None = None
    triage: str | None = None
    risk: int = 0
    alarms: list[AlarmOut]
    legs: list[LegOut]
    events: list[EventOut]


class StormOut(BaseModel):
    """`unasked` to `safe`: open incidents by what the triage calls have brought."""

    active: bool
    mode: str
    since: datetime | None
    by: str | None
    open: int
    unasked: int
    pending: int
    calling: int
    help: int
    silent: int
    no_answer: int
    safe: int


class ClosedOut(BaseModel):
    closed: int


class RecordOut(BaseModel):
    """A closed incident in the list of records."""

    id: str
    elder: ElderOut | None
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    recordings: int


class RaisedOut(BaseModel):
    incident_id: str
    joined: bool
    repeated: bool


class WaitingOut(BaseModel):
    call_id: str
    caller_id: str
    elder: ElderOut | None
    elder_choices: list[ElderOut]
    waited_s: float
    since: datetime
    position: int
    priority: int
    category: str | None = None


class AgentOut(BaseModel):
    extension: str
    name: str
    state: str
    since: datetime
    reason: str | None
    device: str


class QueueOut(BaseModel):
    waiting: list[WaitingOut]
    agents: list[AgentOut]


class HeardOut(BaseModel):
    model_config = ConfigDict(extra="allow")
    at: datetime


class TicketOut(BaseModel):
    no: str
    state: str
    call_id: str | None
    elder: ElderOut | None
    elder_choices: list[ElderOut]
    caller_id: str | None
    category: str | None
    note: str | None
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None
    call_back: bool
    events: list[EventOut]


class CallOut(BaseModel):
    id: str
    did: str
    caller_id: str
    kind: str
    elder: ElderOut | None
    elder_choices: list[ElderOut]
    incident_id: str | None
    ticket_no: str | None
    ticket: TicketOut | None
    arrived_at: datetime
    answered_at: datetime | None
    queued_at: datetime | None
    connected_at: datetime | None
    ended_at: datetime | None
    extension: str | None
    outcome: str | None
    legs: list[LegOut]
    heard: list[HeardOut]


class Incidents(BaseModel):
    items: list[IncidentOut]
    next: str | None


class Elders(BaseModel):
    """Found by a search, best fit first; `left_out` more fit: say more."""

    items: list[ElderOut]
    next: str | None
    left_out: int


class Calls(BaseModel):
    items: list[CallOut]
    next: str | None


class Tickets(BaseModel):
    items: list[TicketOut]
    next: str | None


class Events(BaseModel):
    items: list[EventOut]
    next: int


class PartOut(BaseModel):
    state: str
    pid: int | None = None
    since: str | None = None
    restarts: int | None = None


class HealthOut(BaseModel):
    status: str
    parts: dict[str, PartOut]
    down: list[str]


class ErrorBody(BaseModel):
    code: str
    message: str
    field: str | None


class ErrorOut(BaseModel):
    error: ErrorBody
