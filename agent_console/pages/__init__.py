"""What people see: log-in, the one main page, and what its buttons do."""

from __future__ import annotations

from aiohttp import web

from agent_console.api import endpoint, system
from agent_console.live.stream import stream
from agent_console.pages import actions, assets, desk, helpers, identity, login, records


def mount(app: web.Application) -> None:
    add = app.router
    add.add_get("/", desk.show)
    add.add_get("/incidents/{id}", desk.show)
    add.add_post("/incidents/close-safe", actions.close_safe)
    add.add_post("/storm/{mode}", actions.storm)
    add.add_post("/incidents/{id}/close", actions.close)
    add.add_post("/incidents/{id}/looked", actions.looked)
    add.add_post("/incidents/{id}/family", actions.family)
    add.add_get("/incidents/{id}/elders", identity.show)
    add.add_post("/incidents/{id}/elder", identity.name)
    add.add_get("/incidents/{id}/helpers", helpers.show)
    add.add_post("/incidents/{id}/legs", helpers.want)
    add.add_post("/incidents/{id}/send", helpers.send)
    add.add_post("/incidents/{id}/package", helpers.package)
    add.add_post("/incidents/{id}/arrived", helpers.arrived)
    add.add_post("/seats/{ext}", actions.seat)
    add.add_get("/records", records.show)
    add.add_get("/login", login.show)
    add.add_post("/login", login.log_in)
    add.add_post("/logout", login.log_out)
    add.add_get("/stream", stream, allow_head=False)
    add.add_get("/metrics", endpoint.public(system.figures))
    assets.mount(app)
