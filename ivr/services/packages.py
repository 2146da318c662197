"""Carries packages from the outbox to hospitals and 120. Runs beside the calls and never in their way.

What is in doubt is sent again: the key tells the receiver that he has it already.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ivr import clock
from ivr.services.ports import StoreUnavailable

log = logging.getLogger(__name__)

AMBULANCE = "120"
"""The target that is no hospital of the list: endpoint and secret come from the settings."""
AT_ONCE = 4
LEASE_S = 30.0
"""Longer than one try can take (`Pusher.longest_s`)."""
AUDIT_S = 15.0
AFTER_FAULT_S = 2.0


@dataclass(frozen=True, slots=True)
class Parcel:
    """One package to be delivered now."""

    id: str
    target: str
    body: bytes
    endpoint: str | None
    secret: str | None

    def __repr__(self) -> str:  # illnesses and secrets stay out of logs and tracebacks
        return f"Parcel({self.id})"


class NotTaken(Exception):
    """The other side did not take it; `why` is a word of ours: `timeout`, `refused`, `http_500`, `tls`, …"""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Packages(Protocol):
    async def reclaim(self, node: str) -> None: ...
    async def lease(self, most: int, lease_s: float) -> Sequence[Parcel]: ...
    async def sent(self, package_id: str) -> None: ...
    async def failed(self, package_id: str, why: str) -> None: ...
    async def tell_again(self, *, ambulance: bool) -> int: ...
    async def next_due(self) -> datetime | None: ...


class Pusher(Protocol):
    async def push(self, parcel: Parcel, endpoint: str, secret: str) -> None:
        """Deliver it. Raises NotTaken; gives up by itself in less than `LEASE_S`."""
        ...


class PackageSender:
    def __init__(
        self, packages: Packages, pusher: Pusher, node: str, *, ambulance: tuple[str, str] | None = None
    ) -> None:
        """`ambulance`: endpoint and secret of 120, where there are any."""
        self._packages = packages
        self._pusher = pusher
        self._node = node
        self._ambulance = ambulance
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Something was queued, or something worse became known."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled; whatever fails is tried again."""
        mine = False
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    if not mine:
                        await self._packages.reclaim(self._node)
                        mine = True
                    pause_s = await self._round(group)
                except StoreUnavailable:
                    pause_s = AFTER_FAULT_S
                except Exception as exc:
                    log.error("packages: a round failed: %s", type(exc).__name__)
                    pause_s = AFTER_FAULT_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()

    async def _round(self, group: asyncio.TaskGroup) -> float:
        await self._packages.tell_again(ambulance=self._ambulance is not None)
        due = await self._packages.next_due()
        now = clock.now()
        if due is not None and due <= now:
            # One that hangs must hold no other up: each is a task, and the lease keeps it from being taken twice.
            for parcel in await self._packages.lease(AT_ONCE, LEASE_S):
                group.create_task(self._deliver(parcel), name="package")
            due = await self._packages.next_due()
        return min(AUDIT_S, max(0.05, (due - now).total_seconds())) if due is not None else AUDIT_S

    async def _deliver(self, parcel: Parcel) -> None:
        endpoint, secret = parcel.endpoint, parcel.secret
        if parcel.target == AMBULANCE and self._ambulance is not None:
            endpoint, secret = self._ambulance
        try:
            try:
                if not endpoint or not secret:
                    raise NotTaken("no_endpoint")
                await self._pusher.push(parcel, endpoint, secret)
            except NotTaken as refusal:
                why = refusal.why
                await _until_on_record(lambda: self._packages.failed(parcel.id, why))
            else:
                await _until_on_record(lambda: self._packages.sent(parcel.id))
        except Exception as exc:
            log.error("package %s: %s", parcel.id, type(exc).__name__)  # the lease runs out and it is tried again
        self._wake.set()


async def _until_on_record(write: Callable[[], Awaitable[None]]) -> None:
    """The note that it was taken is worth some patience: without it everything is sent again."""
    for pause_s in (0.5, 1.0, 2.0, 4.0, 0.0):
        try:
            await write()
            return
        except StoreUnavailable:
            if not pause_s:
                raise
            await asyncio.sleep(pause_s)
