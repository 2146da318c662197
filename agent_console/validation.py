"""One clear error that names the field, for pages and API alike: Chinese first, then English."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, StringConstraints, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

M = TypeVar("M", bound=BaseModel)


class Refused(Exception):
    """What was asked cannot be done as asked; `status` is HTTP's word for it."""

    def __init__(
        self, status: int, code: str, zh: str, en: str, field: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.zh = zh
        self.en = en
        self.field = field
        self.retry_after_s = retry_after_s

    @property
    def message(self) -> str:
        return f"{self.zh} {self.en}"


def _blank_is_none(value: object) -> object:
    return None if isinstance(value, str) and not _visible(value) else value


def _visible(value: str) -> bool:
    """Zero-width characters alone are no reason and no name."""
    return any(char.isprintable() and not char.isspace() for char in value)


def _one_line(value: str) -> str:
    if any(ord(char) < 32 or char in "\x7f\u0085\u2028\u2029" for char in value):
        raise PydanticCustomError("control", "line breaks and control characters are not allowed")
    if not _visible(value):
        raise PydanticCustomError("blank", "must not be blank")
    return value


def _text(value: str) -> str:
    if any((ord(char) < 32 and char not in "\r\n\t") or char == "\x7f" for char in value):
        raise PydanticCustomError("control", "control characters are not allowed")
    if not _visible(value):
        raise PydanticCustomError("blank", "must not be blank")
    return value


def _length(most: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, max_length=most)


Line20 = Annotated[str, _length(20), AfterValidator(_one_line)]
Line40 = Annotated[str, _length(40), AfterValidator(_one_line)]
Line60 = Annotated[str, _length(60), AfterValidator(_one_line)]
Line80 = Annotated[str, _length(80), AfterValidator(_one_line)]
Line200 = Annotated[str, _length(200), AfterValidator(_one_line)]
Text = Annotated[str, _length(4000), AfterValidator(_text)]
# A device that sends "" means "nothing": an alarm is not refused for it.
OptLine40 = Annotated[Line40 | None, BeforeValidator(_blank_is_none)]
OptLine60 = Annotated[Line60 | None, BeforeValidator(_blank_is_none)]
OptLine80 = Annotated[Line80 | None, BeforeValidator(_blank_is_none)]
OptLine200 = Annotated[Line200 | None, BeforeValidator(_blank_is_none)]
OptText = Annotated[Text | None, BeforeValidator(_blank_is_none)]
OptTime = Annotated[AwareDatetime | None, BeforeValidator(_blank_is_none)]


def parse(model: type[M], data: object) -> M:
    """Raises Refused with the first error."""
    try:
        return model.model_validate(data)
    except ValidationError as exc:
        raise _refusal(exc.errors(include_url=False)[0]) from None


def parse_json(raw: bytes) -> object:
    """A JSON object; raises Refused for anything else."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(400, "bad_encoding", "内容不是有效的 UTF-8。", "The body is not valid UTF-8.") from None
    try:
        data = json.loads(text, parse_constant=_no_constant)
        json.dumps(data, ensure_ascii=False).encode()  # lone surrogates: \ud800
    except (ValueError, RecursionError):
        raise Refused(400, "bad_json", "内容不是有效的 JSON。", "The body is not valid JSON.") from None
    if not isinstance(data, dict):
        raise Refused(400, "bad_json", "内容必须是一个 JSON 对象。", "The body must be a JSON object.")
    return data


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _refusal(error: ErrorDetails) -> Refused:
    context: dict[str, Any] = error.get("ctx") or {}
    # The last name of the path: unions add their own parts ("location.dict[str,any]").
    field = str(context.get("field") or next(iter(error["loc"]), "")) or None
    code, zh, en = _words(error["type"], context)
    name = f"“{field}”" if field else ""
    return Refused(422, code, f"{name}{zh}", f"{field or 'body'} {en}.", field)


def _words(kind: str, context: dict[str, Any]) -> tuple[str, str, str]:
    if kind == "missing":
        return "missing", "缺失。", "is missing"
    if kind == "blank":
        return "blank", "不能为空。", "must not be blank"
    if kind == "control":
        return "bad_characters", "含有不允许的控制字符。", "contains control characters"
    if kind == "string_too_long":
        return "too_long", f"太长，最多 {context['max_length']} 个字符。", f"is longer than {context['max_length']}"
    if kind in ("literal_error", "enum"):
        return "not_allowed", f"只能是 {context['expected']}。", f"must be {context['expected']}"
    if kind == "timezone_aware":
        return "no_time_zone", "缺少时区，例如 2026-11-01T08:00:00+08:00。", "needs a time zone"
    if kind.startswith(("datetime", "date")):
        return "bad_time", "不是有效的 ISO 8601 时间。", "is not an ISO 8601 time"
    if kind in ("greater_than_equal", "less_than_equal"):
        return "out_of_range", "超出允许范围。", "is out of range"
    if "zh" in context:
        return kind, str(context["zh"]), str(context["en"])
    return "wrong_type", "类型或格式不对。", "has the wrong type or form"
