"""Templates. Everything that people wrote is escaped; there is no inline script and no inline style."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from agent_console import words
from agent_console.api.shapes import EventOut, IncidentOut
from agent_console.validation import Refused

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


class Pages:
    def __init__(self) -> None:
        self._env = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._env.globals["words"] = words
        self._env.filters |= {"clock": clock, "day": day, "since": since, "story": story, "place": place}

    def part(self, name: str, context: dict[str, Any]) -> str:
        return self._env.get_template(f"parts/{name}.html").render(context)

    def page(self, name: str, status: int = 200, **context: Any) -> web.Response:
        html = self._env.get_template(f"{name}.html").render(context)
        return web.Response(text=html, status=status, content_type="text/html")

    def error(self, refused: Refused) -> web.Response:
        return self.page("error", refused.status, refused=refused)


# An incident shows the same sixty times in every round: kept, a rendering costs half.
@lru_cache(4096)
def clock(at: datetime | None) -> Markup:
    """`14:03:22` of this machine's day, with the whole time behind it."""
    if at is None:
        return Markup('<span class="none">–</span>')
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S}">{:%H:%M:%S}</time>').format(
        _utc(at), at.astimezone(), at.astimezone()
    )


@lru_cache(4096)
def day(at: datetime) -> Markup:
    return Markup('<time datetime="{}">{:%Y-%m-%d %H:%M}</time>').format(_utc(at), at.astimezone())


def since(at: datetime) -> Markup:
    """A running clock: the script makes it `0:23`; without script it says when it began."""
    return Markup('<time class="ticks" data-since="{}">{:%H:%M:%S}</time>').format(_utc(at), at.astimezone())


def story(event: EventOut, incident: IncidentOut) -> str:
    """One line of the timeline, in words."""
    told = event.model_extra or {}
    parts = [words.EVENTS.get(event.kind, event.kind)]
    leg = next((one for one in incident.legs if one.id == told.get("leg_id")), None)
    if leg is not None:
        parts.append(f"{words.ROLES.get(leg.role, leg.role)} {leg.name}")
    if told.get("attempt", 1) != 1:
        parts.append(f"第 {told['attempt']} 次")
    outcome = told.get("outcome")
    if outcome:
        parts.append(words.OUTCOMES.get(outcome) or words.CLOSE_OUTCOMES.get(outcome, str(outcome)))
    if kind := told.get("alarm_kind"):
        parts.append(words.ALARM_KINDS.get(kind, str(kind)))
    if meaning := told.get("meaning"):
        parts.append(words.MEANINGS.get(meaning, str(meaning)))
    if why := told.get("why"):
        parts.append(words.WHYS.get(why, str(why)))
    if triage := told.get("triage"):
        parts.append(words.TRIAGE.get(triage, str(triage)))
    if by := told.get("by"):
        parts.append(f"（{by}）")
    return " ".join(parts)


def place(location: dict[str, Any]) -> str:
    """A location as a device or a person wrote it."""
    if text := location.get("text") or location.get("address"):
        return str(text)
    if location.get("lat") is not None and location.get("lng") is not None:
        return f"{location['lat']}, {location['lng']}"
    return json.dumps(location, ensure_ascii=False)


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
