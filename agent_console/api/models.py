"""What comes in from outside: bodies and queries, the same for API and pages."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from agent_console.validation import (
    Line40,
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


class IncidentQuery(Page):
    state: Literal["open", "closed", "all"] = "all"


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
