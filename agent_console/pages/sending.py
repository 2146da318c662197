"""What the part about helpers and hospitals shows."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from agent_console.api.shapes import HelpersOut
from agent_console.keys import READER, SETTINGS
from agent_console.queries import helpers
from agent_console.validation import Refused
from agent_console.who import Principal

SHOWN = 4
"""Of workers and of hospitals: the rest is on the list of the API."""


async def context(
    request: web.Request, who: Principal, incident_id: str, problem: Refused | None = None
) -> dict[str, Any]:
    """What `parts/helpers.html` shows."""
    found = await request.app[READER].read(helpers.ranked, incident_id, None, SHOWN, who.eyes)
    settings = request.app[SETTINGS]
    return {
        "incident_id": incident_id,
        "found": found or HelpersOut(items=[], left_out=0),
        "ambulance": settings.ambulance_number,
        "ambulance_takes_packages": bool(settings.ambulance_endpoint),
        "offer_worker": settings.offer_worker,
        "csrf": who.csrf,
        "problem": problem,
    }
