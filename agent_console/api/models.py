"""What comes in from outside: bodies and queries, the same for API and pages."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from agent_console.validation import (
    Line40,
    Line80,
    OptLine40,
    OptLine60,
    OptLine80,
    OptLine200,
    OptText,
    OptTime,
    Text,
)
from ivr.domain import numbers


def _location(value: object) -> object:
    return {"text": value} if isinstance(value, str) and value.strip() else value or None


def _small(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if value is not None and len(json.dumps(value)) > 4000:
        raise PydanticCustomError("too_long", "too long", {"zh": "太长。", "en": "is too long"})
    return value


def _number(value: str | None) -> str | None:
    if value is None:
        return None
    digits = numbers.normalise(value)
    if not digits:
        raise PydanticCustomError("bad_number", "no digits", {"zh": "不是电话号码。", "en": "is not a phone number"})
    return digits


Location = Annotated[dict[str, Any] | None, BeforeValidator(_location), AfterValidator(_small)]
Number = Annotated[OptLine40, AfterValidator(_number)]


class AlarmIn(BaseModel):
    """An alarm from a device, a platform or a person. At least one of device_id, phone, elder_no."""

    # A gateway that adds a field of its own must not have its alarm refused.
    model_config = ConfigDict(extra="ignore")

    source: Line40
    kind: Line40
    device_id: OptLine60 = None
    phone: Number = None
    elder_no: OptLine40 = None
    at: OptTime = None
    note: OptText = None
    location: Location = None
    idempotency_key: OptLine200 = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.device_id or self.phone or self.elder_no):
            raise PydanticCustomError(
                "missing",
                "nobody is named",
                {"field": "device_id"},
            )
        return self


class CloseIn(BaseModel):
    """`by` is the logged-in person on pages; a token has to name one."""

    by: OptLine80 = None
    outcome: Annotated[OptLine80, Field(description="helped, family, ambulance, false_alarm, test, other, …")] = None
    reason: Text


class FamilyIn(BaseModel):
    """Dial the relatives, or stop it: 误按. `word`: whose clear word it was."""

    action: Literal["start", "cancel"]
    by: OptLine80 = None
    word: Literal["agent", "elder"] = "agent"
    reason: OptText = None

    @model_validator(mode="after")
    def _explained(self) -> Self:
        if self.action == "cancel" and not self.reason:
            raise PydanticCustomError("missing", "no reason", {"field": "reason"})
        return self


class LegIn(BaseModel):
    """Somebody to be called into the incident's room: on a list of ours, 120 by its number, or the elder himself, where
    he called from or else at the number in his file."""

    role: Literal["worker", "hospital", "family", "elder"]
    worker_no: OptLine40 = None
    hospital: OptLine200 = None
    phone: Number = None
    by: OptLine80 = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.role == "elder":
            return self
        named = {"worker": self.worker_no, "hospital": self.hospital, "family": None}[self.role]
        if not (named or self.phone):
            field = {"worker": "worker_no", "hospital": "hospital", "family": "phone"}[self.role]
            raise PydanticCustomError("missing", "nobody is named", {"field": field})
        return self


class ElderIn(BaseModel):
    """Who the elder of an incident is; another one later corrects it."""

    elder_no: Line40
    by: OptLine80 = None


class SendIn(BaseModel):
    """A care worker is offered the way by phone, one after the other."""

    by: OptLine80 = None
    skill: OptLine40 = None


class PackageIn(BaseModel):
    """The package is sent though nobody is rung there; a hospital's is sent with the wish for its leg."""

    target: Literal["120"] = "120"
    by: OptLine80 = None


class ArrivedIn(BaseModel):
    by: OptLine80 = None
    worker_no: OptLine40 = None
    at: OptTime = None


class BindIn(BaseModel):
    worker_no: OptLine40 = None
    by: OptLine80 = None


class SeatIn(BaseModel):
    state: Literal["ready", "paused", "away"]
    reason: OptLine80 = None


class TicketIn(BaseModel):
    elder_no: OptLine40 = None
    category: OptLine40 = None
    note: OptText = None
    by: OptLine80 = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.elder_no or self.category or self.note):
            raise PydanticCustomError("missing", "an empty ticket", {"field": "note"})
        return self


class FieldEventIn(BaseModel):
    kind: Literal["accepted", "signed_in", "signed_out", "note", "closed"]
    worker_no: OptLine40 = None
    at: OptTime = None
    location: Location = None
    note: OptText = None
    by: OptLine80 = None

    @model_validator(mode="after")
    def _worker(self) -> Self:
        if self.kind in ("accepted", "signed_in", "signed_out") and not self.worker_no:
            raise PydanticCustomError("missing", "no worker", {"field": "worker_no"})
        if self.kind == "note" and not self.note:
            raise PydanticCustomError("missing", "no note", {"field": "note"})
        return self


class Page(BaseModel):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[OptLine40, Field(description="`next` of the page before")] = None


class StormIn(BaseModel):
    mode: Annotated[Literal["on", "off", "auto"], Field(description="auto: by the numbers")]
    by: OptLine80 = None

    @property
    def forced(self) -> bool | None:
        return {"on": True, "off": False, "auto": None}[self.mode]


class CloseSafeIn(CloseIn):
    """Closes incidents whose elder is safe; without `ids` all of them."""

    ids: Annotated[list[Line40] | None, Field(max_length=5000)] = None


class IncidentQuery(Page):
    state: Literal["open", "closed", "all"] = "all"


class HelperQuery(BaseModel):
    skill: OptLine40 = None
    limit: Annotated[int, Field(ge=1, le=2000, description="of workers, and of hospitals")] = 20


class ElderQuery(BaseModel):
    q: Annotated[Line80, Field(description="elder_no, name, pinyin or its initials, 4 digits of a phone, address")]
    incident: Annotated[OptLine40, Field(description="for whose sake: noted with the search")] = None


class TicketQuery(Page):
    state: Literal["open", "closed", "all"] = "all"


def _query_time(value: object) -> object:
    """`+08:00` that was not percent-encoded arrives as a space; a bare date is local midnight."""
    if isinstance(value, str) and "T" in value:
        return value.strip().replace(" ", "+")
    if isinstance(value, str) and len(value) == 10:
        try:
            return datetime.fromisoformat(value).astimezone()
        except ValueError:
            return value
    return value


QueryTime = Annotated[AwareDatetime | None, BeforeValidator(_query_time)]


class CallQuery(Page):
    from_: Annotated[QueryTime, Field(alias="from")] = None
    to: QueryTime = None
    number: Number = None


class RecordQuery(Page):
    """The page of closed incidents."""

    day: QueryTime = None
    number: OptLine40 = None


class FeedQuery(BaseModel):
    after: Annotated[int, Field(ge=0, le=2**62)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 500
