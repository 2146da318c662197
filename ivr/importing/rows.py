"""One row of each kind of file, as pydantic checks it. Field names are the columns of DESIGN §5."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from ivr.importing import cells
from ivr.importing.report import Bad


def _said(check: Callable[[cells.Cell], Any]) -> BeforeValidator:
    def run(cell: cells.Cell) -> Any:
        try:
            return check(cell)
        except Bad as bad:
            raise _error(bad.zh, bad.en) from None

    return BeforeValidator(run)


def _error(zh: str, en: str, column: str = "") -> PydanticCustomError:
    return PydanticCustomError("bad_cell", "{en}", {"zh": zh, "en": en, "column": column})


def _at_most(length: int) -> StringConstraints:
    return StringConstraints(max_length=length)


Key40 = Annotated[str, _at_most(40), _said(cells.key)]
Key60 = Annotated[str, _at_most(60), _said(cells.key)]
Name = Annotated[str, _at_most(80), _said(cells.required)]
Prose = Annotated[str | None, _said(cells.prose)]
Phone = Annotated[str, _said(cells.phone)]
MaybePhone = Annotated[str | None, _said(cells.optional_phone)]
Latitude = Annotated[float | None, _said(cells.latitude)]
Longitude = Annotated[float | None, _said(cells.longitude)]


class Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Placed(Row):
    lat: Latitude = None
    lng: Longitude = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Placed:
        if (self.lat is None) != (self.lng is None):
            raise _error("经纬度要么都写要么都不写", "give both lat and lng or neither", "lat")
        return self


class ElderRow(Placed):
    elder_no: Key40
    name: Name
    sex: Annotated[str | None, _said(cells.sex)] = None
    birth_date: Annotated[date | None, _said(cells.birth_date)] = None
    phone: MaybePhone = None
    mobile: MaybePhone = None
    address: Prose = None
    district: Annotated[str | None, _at_most(80), _said(cells.optional)] = None
    medical: Prose = None
    notes: Prose = None
    dialect: Annotated[str | None, _at_most(40), _said(cells.optional)] = None
    consent_outbound: Annotated[bool, _said(cells.yes_or_no)] = False
    consent_hospital: Annotated[bool, _said(cells.yes_or_no)] = False
    helper_no: Annotated[str | None, _at_most(40), _said(cells.optional)] = None
    access: Prose = None


class ContactRow(Row):
    elder_no: Key40
    name: Name
    relation: Annotated[str | None, _at_most(40), _said(cells.optional)] = None
    phone: Phone
    priority: Annotated[int | None, _said(cells.priority)] = None
    available_from: Annotated[str | None, _said(cells.clock_from)] = None
    available_to: Annotated[str | None, _said(cells.clock_to)] = None

    @model_validator(mode="after")
    def _whole_window(self) -> ContactRow:
        if (self.available_from is None) != (self.available_to is None):
            raise _error("起止时间要么都写要么都不写", "give both times or neither", "available_from")
        return self


class DeviceRow(Row):
    device_id: Key60
    kind: Annotated[str, _at_most(40), _said(cells.required)]
    elder_no: Key40
    caller_id: MaybePhone = None


class WorkerRow(Placed):
    worker_no: Key40
    name: Name
    phone: Phone
    skills: Prose = None
    district: Annotated[str | None, _at_most(80), _said(cells.optional)] = None
    pin: Annotated[str | None, _said(cells.pin)] = None


class HospitalRow(Placed):
    name: Annotated[str, _at_most(120), _said(cells.required)]
    phone: Phone
    district: Annotated[str | None, _at_most(80), _said(cells.optional)] = None
    capabilities: Prose = None
    endpoint: Annotated[str | None, _at_most(500), _said(cells.endpoint)] = None
    push_secret: Annotated[str | None, _said(cells.push_secret)] = None


def reason(error: Any) -> tuple[str | None, str, str]:
    """(column, zh, en) of one of pydantic's errors."""
    context = error.get("ctx") or {}
    column = str(error["loc"][0]) if error["loc"] else (context.get("column") or None)
    if error["type"] == "bad_cell":
        return column, context["zh"], context["en"]
    if error["type"] == "string_too_long":
        limit = context["max_length"]
        return column, f"超过 {limit} 个字符", f"longer than {limit} characters"
    return column, "格式不对", str(error["msg"])
