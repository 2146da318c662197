"""What the application carries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import web

from agent_console.ports import (
    Helpers,
    Identity,
    Incidents,
    Journal,
    Outbox,
    Reader,
    Seats,
    Sources,
    Storms,
    Tickets,
    Users,
)
from ivr.settings import Settings

if TYPE_CHECKING:
    from agent_console.limits import LoginLimits
    from agent_console.live.hub import Hub
    from agent_console.looks import Looks
    from agent_console.metrics import Metrics
    from agent_console.pages.render import Pages

SETTINGS = web.AppKey("settings", Settings)
READER: web.AppKey[Reader] = web.AppKey("reader")
USERS: web.AppKey[Users] = web.AppKey("users")
INCIDENTS: web.AppKey[Incidents] = web.AppKey("incidents")
HELPERS: web.AppKey[Helpers] = web.AppKey("helpers")
IDENTITY: web.AppKey[Identity] = web.AppKey("identity")
OUTBOX: web.AppKey[Outbox] = web.AppKey("outbox")
TICKETS: web.AppKey[Tickets] = web.AppKey("tickets")
SEATS: web.AppKey[Seats] = web.AppKey("seats")
SOURCES: web.AppKey[Sources] = web.AppKey("sources")
STORMS: web.AppKey[Storms] = web.AppKey("storms")
JOURNAL: web.AppKey[Journal] = web.AppKey("journal")
HUB: web.AppKey[Hub] = web.AppKey("hub")
PAGES: web.AppKey[Pages] = web.AppKey("pages")
LIMITS: web.AppKey[LoginLimits] = web.AppKey("limits")
LOOKS: web.AppKey[Looks] = web.AppKey("looks")
EXPORTING = web.AppKey("exporting", asyncio.Semaphore)
METRICS: web.AppKey[Metrics] = web.AppKey("metrics")
