"""From the journal to the screens: what an event changes is read and rendered once, and sent to all who show it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from agent_console.live.client import Client, Fragment
from agent_console.metrics import Metrics
from agent_console.ports import Journal, JournalEvent
from ivr import clock

log = logging.getLogger(__name__)

ROUND_S = 0.05  # at most 20 renderings a second, the first without delay
REST = 3.0  # after a round that took long, so many times as long nothing: rendering never takes more than a quarter
MOST_REST_S = 1.0
TICK_S = 1.0
FRESH_S = 3.0
ALL = "*"
# Kinds whose events change no fragment by themselves. Any other unknown kind (an import of elders) changes all.
UNSEEN = {"alarm", "file", "node", "outbound", "survey", "ticket", "token"}


class Render(Protocol):
    async def fragments(self, names: Iterable[str]) -> tuple[int, dict[str, str]]:
        """(journal's seq, HTML by name), all of one moment."""
        ...

    async def check(self) -> tuple[int, set[str]]:
        """(journal's seq, names that changed without an event)."""
        ...


def touched(event: JournalEvent) -> set[str]:
    """The fragments that an event may change, without their variants."""
    family = event.kind.partition(".")[0]
    names: set[str] = set()
    if family in ("call", "speech"):  # what is heard may fill the category of one who waits
        names.add("queue")
    elif family in ("agent", "user"):
        names |= {"seats", "alert", f"seat:{event.extension}"}
    elif family in ("incident", "leg"):
        names |= {"incidents", "alert"}
        if family == "incident":
            names.add("storm")
    elif family == "storm":
        names |= {"storm", "incidents", "alert"}
    elif family not in UNSEEN:
        names.add(ALL)
    if event.incident_id:
        names.add(f"incident:{event.incident_id}")
    return names


class Hub:
    def __init__(self, journal: Journal, render: Render, metrics: Metrics) -> None:
        self._journal = journal
        self._render = render
        self._metrics = metrics
        self._clients: set[Client] = set()
        self._known: dict[str, Fragment] = {}
        self._dirty: set[str] = set()
        self._news = asyncio.Event()
        self._oldest: datetime | None = None
        self._seq = 0  # followed
        self._done = 0  # rendered and offered to every screen
        self._checked_at = time.monotonic()
        self._closed = False

    @property
    def is_fresh(self) -> bool:
        """False when the journal cannot be read or is not followed: then no screen is told that all is well."""
        return time.monotonic() - self._checked_at < FRESH_S

    @property
    def count(self) -> int:
        return len(self._clients)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow(), name="hub-follow")
                    group.create_task(self._tick(), name="hub-tick")
                    group.create_task(self._rounds(), name="hub-rounds")
            except* Exception as failed:
                log.error("live updates failed: %s", [type(exc).__name__ for exc in failed.exceptions])
                self._dirty.add(ALL)
                self._news.set()
            await asyncio.sleep(TICK_S)

    async def join(self, names: frozenset[str], seen: int | None) -> Client:
        """A new screen; it is first given whatever changed after `seen`."""
        client = Client(names)
        if self._closed:
            client.close()
        self._clients.add(client)
        self._metrics.streams.set(len(self._clients))
        try:
            seq, fragments = await self.current(names)
        except BaseException:
            self.leave(client)
            raise
        for fragment in fragments.values():
            # Telephones and dead parts change without an event: what shows them is always sent.
            if seen is None or fragment.seq > seen or fragment.name.startswith(("alert", "seat", "queue")):
                client.offer(fragment)
        client.reached(seq)
        return client

    def leave(self, client: Client) -> None:
        self._clients.discard(client)
        self._metrics.streams.set(len(self._clients))

    def close(self) -> None:
        """End all streams, those too that are only just coming."""
        self._closed = True
        for client in list(self._clients):
            client.close()

    async def current(self, names: Iterable[str]) -> tuple[int, dict[str, Fragment]]:
        """(seq that all of them have surely reached, fragments); rendered only where what is known is out of date."""
        done = self._done
        found = {name: self._known[name] for name in names if name in self._known and not _hit(name, self._dirty)}
        stale = set(names) - set(found)
        if stale:
            found |= await self._refresh(stale)
        return done, found

    def _shown(self) -> set[str]:
        return {name for client in self._clients for name in client.names}

    async def _follow(self) -> None:
        self._seq = self._done = await self._first_seq()
        async for batch in self._journal.follow(self._seq):
            for event in batch:
                self._dirty |= touched(event)
            self._seq = batch[-1].seq
            self._oldest = self._oldest or batch[0].at
            self._news.set()

    async def _first_seq(self) -> int:
        while True:
            try:
                return await self._journal.last_seq()
            except Exception as exc:  # the console may be up before its database
                log.warning("the journal cannot be read: %s", type(exc).__name__)
                await asyncio.sleep(TICK_S)

    async def _tick(self) -> None:
        """What changes without an event (telephones, dead parts), and whether the journal is really followed."""
        behind_since: float | None = None
        while True:
            try:
                last, changed = await self._render.check()
            except Exception as exc:
                log.warning("cannot look at the database: %s", type(exc).__name__)
            else:
                behind_since = (behind_since or time.monotonic()) if last > self._done else None
                if behind_since is None or time.monotonic() - behind_since < FRESH_S:
                    self._checked_at = time.monotonic()
                if changed:
                    self._dirty |= changed
                    self._news.set()
            for name in set(self._known) - self._shown():  # nobody looks at it any more
                del self._known[name]
            await asyncio.sleep(TICK_S)

    async def _rounds(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            began = time.monotonic()
            reached = self._seq
            dirty, self._dirty = self._dirty, set()
            oldest, self._oldest = self._oldest, None
            names = {name for name in self._shown() if _hit(name, dirty)}
            for name in [name for name in self._known if name not in names and _hit(name, dirty)]:
                del self._known[name]
            try:
                if names:
                    await self._refresh(names)
            except Exception as exc:  # its text may quote what people wrote
                log.error("cannot render: %s", type(exc).__name__, exc_info=log.isEnabledFor(logging.DEBUG))
                self._dirty |= dirty
                self._news.set()
                await asyncio.sleep(TICK_S)
                continue
            self._done = reached
            for client in self._clients:
                client.reached(reached)
            if oldest is not None and names:
                self._metrics.behind.observe(max(0.0, (clock.now() - oldest).total_seconds()))
            took = time.monotonic() - began
            await asyncio.sleep(max(0.0, ROUND_S - took, min(MOST_REST_S, REST * took)))

    async def _refresh(self, names: set[str]) -> dict[str, Fragment]:
        with self._metrics.renders.time():
            seq, rendered = await self._render.fragments(names)
        fresh: dict[str, Fragment] = {}
        for name, html in rendered.items():
            known = self._known.get(name)
            if known is not None and (known.html == html or known.seq > seq):  # or: a later look overtook this one
                fresh[name] = known
                continue
            fresh[name] = self._known[name] = Fragment.of(name, html, seq)
            for client in self._clients:
                client.offer(fresh[name])
        return fresh


def _hit(name: str, dirty: set[str]) -> bool:
    return ALL in dirty or name.partition("/")[0] in dirty
