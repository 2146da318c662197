"""One incident as one page that needs nothing but itself and the folder of its audio.

Everything that people wrote is escaped by the template; the script gets numbers and file names only, as JSON, and it is
the only one that the page's own policy lets run.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from agent_console import words
from agent_console.export.timeline import Axis, axis_of, bars_of
from agent_console.pages.render import day, story
from agent_console.queries.exports import Clip, OnRecord
from ivr.domain.chain import Broken

_ASSETS = Path(__file__).resolve().parent / "assets"
FAULTS = {
    "changed": "内容被改动 changed",
    "missing": "之前有缺失 rows missing before it",
    "inserted": "插入的行 inserted",
    "moved": "顺序被调换 out of order",
    "cut_at_the_end": "末尾被截断 cut at the end",
}


@dataclass(frozen=True, slots=True)
class Track:
    """What one leg said, or the room: its recordings, and how it is called."""

    leg_id: str | None
    clips: list[tuple[Clip, str]]
    """With what is wrong with the file: `` (nothing), `removed`, `missing`, `altered`."""


def render(record: OnRecord, clips: Sequence[tuple[Clip, str]], fault: Broken | None, by: str, now: datetime) -> str:
    incident = record.incident
    axis = axis_of(incident, [clip for clip, _ in clips])
    script = (_ASSETS / "player.js").read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(script.encode()).digest()).decode()
    return _template().render(
        incident=incident,
        axis=axis,
        ticks=_ticks(axis),
        tracks=_tracks(incident.legs, clips),
        bars=bars_of(incident, axis),
        chain=record.chain,
        events=len(record.rows),
        older=sum(1 for row in record.rows if row.seq <= record.chain.after),
        fault=fault,
        faults=FAULTS,
        by=by,
        now=now,
        script=Markup(script),  # ours, from the package  # noqa: S704
        style=Markup((_ASSETS / "export.css").read_text(encoding="utf-8")),  # ours  # noqa: S704
        digest=digest,
        data=_json(_data(axis, clips)),
        words=words,
    )


def audio_name(clip: Clip) -> str:
    return "audio/" + clip.file.partition("/")[2]


def _tracks(legs: Sequence[Any], clips: Sequence[tuple[Clip, str]]) -> list[Track]:
    tracks = [Track(None, [one for one in clips if one[0].leg_id is None])]
    tracks += [Track(leg.id, [one for one in clips if one[0].leg_id == leg.id]) for leg in legs]
    known = {leg.id for leg in legs}
    other = [one for one in clips if one[0].leg_id is not None and one[0].leg_id not in known]
    return [*tracks, Track("", other)] if other else tracks


def _data(axis: Axis, clips: Sequence[tuple[Clip, str]]) -> dict[str, Any]:
    return {
        "seconds": round(axis.seconds, 3),
        "clips": [
            {
                "track": clip.leg_id or "room",
                "file": audio_name(clip),
                "at": round((clip.began_at - axis.start).total_seconds(), 3),
                "seconds": clip.seconds,
            }
            for clip, wrong in clips
            if wrong in ("", "altered")
        ],
    }


def _json(data: object) -> Markup:
    text = json.dumps(data)  # ASCII
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # no sign that could end the element is left  # noqa: S704


def _ticks(axis: Axis) -> list[tuple[float, str]]:
    """Some six marks, at a round number of seconds."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400)
    step = next((one for one in steps if axis.seconds / one <= 8), 86400)
    count = int(axis.seconds // step)
    return [(round(100 * one * step / axis.seconds, 3), offset(one * step)) for one in range(min(count, 400) + 1)]


def offset(seconds: float) -> str:
    """`1:02:03`, or `2:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": day, "story": story, "offset": offset}
    return environment.get_template("export.html")
