"""The agent console: pages, live updates and the HTTP API in one process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from typing import Concatenate, ParamSpec, TypeVar

from aiohttp import web
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from agent_console import keys, measure, pages
from agent_console.api import endpoint, routes
from agent_console.errors import errors
from agent_console.limits import LoginLimits
from agent_console.live.hub import Hub
from agent_console.live.render import LiveRender
from agent_console.looks import Looks
from agent_console.metrics import Metrics
from agent_console.pages import assets
from agent_console.pages.render import Pages
from agent_console.security import add_headers
from ivr.clock import clock
from ivr.errors import StartError
from ivr.services.ports import StoreUnavailable
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.identity import SqlIdentity
from ivr.store.incidents import SqlIncidents
from ivr.store.journal import Journal
from ivr.store.packages import SqlOutbox
from ivr.store.seats import SqlSeats
from ivr.store.sources import SqlSources
from ivr.store.storm import SqlStorm
from ivr.store.tickets import SqlTickets
from ivr.store.users import Session, SqlUsers
from ivr.store.wishes import SqlWishes

log = logging.getLogger(__name__)
T = TypeVar("T")
P = ParamSpec("P")

MAX_BODY = 1024 * 1024
SHUTDOWN_S = 3.0


class StoreReader:
    """Implements the `Reader` port."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with self._store.read() as conn:
                return await conn.run_sync(query, *args, **kwargs)
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(type(exc).__name__) from None

    async def look(self, query: Callable[[Connection], T]) -> T:
        try:
            return await self._store.look(query)
        except (SQLAlchemyError, OSError) as exc:
            raise StoreUnavailable(type(exc).__name__) from None


class StoreUsers:
    """Implements the `Users` port."""

    def __init__(self, store: Store, session_hours: int) -> None:
        self._users = SqlUsers(store)
        self._hours = session_hours

    async def session(self, token: str) -> Session | None:
        return await self._users.session(token)

    async def close_session(self, token: str) -> None:
        await self._users.close_session(token)

    async def token_name(self, token: str) -> str | None:
        return await self._users.token_name(token)

    async def log_in(self, name: str, password: str) -> tuple[str, str] | None:
        user = await self._users.check_password(name, password)
        return await self._users.open_session(user, self._hours) if user else None


def build_app(settings: Settings, store: Store) -> web.Application:
    """The store is open and stays open longer than the application."""
    app = web.Application(middlewares=[measure.requests, errors], client_max_size=MAX_BODY)
    journal = Journal(store)
    app[keys.SETTINGS] = settings
    app[keys.READER] = reader = StoreReader(store)
    app[keys.USERS] = StoreUsers(store, settings.session_hours)
    app[keys.INCIDENTS] = SqlIncidents(
        store,
        join_window_s=settings.join_window_s,
        clock_tolerance_s=settings.clock_tolerance_s,
        reason_min=settings.close_reason_min,
    )
    app[keys.SOURCES] = SqlSources(store)
    app[keys.STORMS] = SqlStorm(store, reason_min=settings.close_reason_min, wish_tries=settings.wish_tries)
    app[keys.HELPERS] = SqlWishes(store, tries=settings.wish_tries, push_to_ambulance=bool(settings.ambulance_endpoint))
    app[keys.IDENTITY] = SqlIdentity(store)
    app[keys.OUTBOX] = SqlOutbox(store)
    app[keys.TICKETS] = SqlTickets(store)
    app[keys.SEATS] = SqlSeats(store)
    app[keys.JOURNAL] = journal
    app[keys.METRICS] = metrics = Metrics()
    app[keys.LIMITS] = LoginLimits()
    app[keys.EXPORTING] = asyncio.Semaphore(1)
    app[keys.LOOKS] = Looks(journal)
    app[keys.PAGES] = page_maker = Pages()
    app[keys.HUB] = Hub(journal, LiveRender(reader, page_maker, settings.data_dir), metrics)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_end_streams)
    app.cleanup_ctx.append(_live)
    endpoint.mount(app, routes.ENDPOINTS)
    pages.mount(app)
    return app


async def _live(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(app[keys.HUB].run(), name="hub")
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await app[keys.LOOKS].finish()


async def _end_streams(app: web.Application) -> None:
    app[keys.HUB].close()


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    where = f"{settings.bind_host}:{settings.http_port}"
    try:
        await web.TCPSite(runner, settings.bind_host, settings.http_port).start()
    except OSError as exc:
        why = os.strerror(exc.errno) if exc.errno else type(exc).__name__
        raise StartError(
            f"控制台无法在 {where} 上监听（{why}），请更改 IVR_HTTP_PORT",
            f"cannot listen on {where} ({why}): set IVR_HTTP_PORT",
        ) from None


async def main(settings: Settings) -> int:
    """Serve until cancelled."""
    async with Store(settings.effective_database_url, name="console") as store:
        with contextlib.suppress(Exception):
            clock.not_before(await Journal(store).last_at())
        # No access log: addresses and paths of people belong in no file; /metrics has the counts.
        runner = web.AppRunner(build_app(settings, store), access_log=None, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await _listen(runner, settings)
            if lost := assets.missing():
                log.warning("no %s: pages do not update by themselves until `make assets` has run", ", ".join(lost))
            log.info("console listens on %s:%d", settings.bind_host, settings.http_port)
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
    return 0
