"""One Asterisk node's manager interface: a session that hears and one that acts, and the truth after each reconnect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from ivr import clock
from ivr.asterisk.ami import AmiError, AmiEvent, AmiSession, AmiUnavailable, keep_session
from ivr.asterisk.snapshot import Channel, Member, Snapshot, snapshot

log = logging.getLogger(__name__)


Item = AmiEvent | Snapshot
Consumer = Callable[[Item], Awaitable[None]]


class AsteriskLink:
    """`run` holds both sessions; everything heard goes in order through `consumer`, one at a time."""

    def __init__(self, port: int, reader_secret: str, actor_secret: str, consumer: Consumer) -> None:
        self._port = port
        self._secrets = (reader_secret, actor_secret)
        self._consumer = consumer
        self._items: asyncio.Queue[Item] = asyncio.Queue()
        self._reader: AmiSession | None = None
        self._actor: AmiSession | None = None
        self.on_up: Callable[[], Awaitable[None]] | None = None
        self.on_down: Callable[[], Awaitable[None]] | None = None

    @property
    def is_up(self) -> bool:
        return self._reader is not None and self._actor is not None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._consume(), name="ami-consume")
            group.create_task(
                keep_session(
                    self._port,
                    "ivr-reader",
                    self._secrets[0],
                    on_event=self._items.put_nowait,
                    on_up=self._reader_up,
                    on_down=self._reader_down,
                ),
                name="ami-reader",
            )
            group.create_task(
                keep_session(
                    self._port, "ivr-actor", self._secrets[1],
                    on_event=None, on_up=self._actor_up, on_down=self._actor_down,
                ),
                name="ami-actor",
            )  # fmt: skip

    async def _consume(self) -> None:
        while True:
            item = await self._items.get()
            try:
                await self._consumer(item)
            except asyncio.CancelledError:
                raise
            except Exception as exc:
                name = item.name if isinstance(item, AmiEvent) else "snapshot"
                log.exception("handling %s failed: %s", name, type(exc).__name__)

    async def _reader_up(self, session: AmiSession) -> None:
        await self._refresh(session)
        self._reader = session
        if self.is_up and self.on_up:
            await self.on_up()

    async def _actor_up(self, session: AmiSession) -> None:
        self._actor = session
        if self.is_up and self.on_up:
            await self.on_up()

    async def _reader_down(self) -> None:
        was_up, self._reader = self.is_up, None
        if was_up and self.on_down:
            await self.on_down()

    async def _actor_down(self) -> None:
        was_up, self._actor = self.is_up, None
        if was_up and self.on_down:
            await self.on_down()

    async def refresh(self) -> None:
        """Read Asterisk's state again and hand it to the consumer as a Snapshot. Raises AmiError."""
        if self._reader is None:
            raise AmiUnavailable("the manager interface is away")
        await self._refresh(self._reader)

    async def _refresh(self, session: AmiSession) -> None:
        status, taken_at = await session.action("CoreStatus"), clock.now()
        channels = await session.listing("CoreShowChannels")
        queue = await session.listing("QueueStatus", Queue="hotline")
        devices = await session.listing("DeviceStateList")
        for device in devices:
            self._items.put_nowait(AmiEvent("DeviceStateChange", device.headers))
        self._items.put_nowait(replace(snapshot(status, channels, queue), taken_at=taken_at))

    async def act(self, name: str, **fields: Any) -> AmiEvent:
        """One action on the acting session. Raises AmiUnavailable, AmiUnconfirmed, AmiRefused."""
        if self._actor is None:
            raise AmiUnavailable("the manager interface is away")
        return await self._actor.action(name, **fields)


__all__ = ["AmiError", "AmiEvent", "AsteriskLink", "Channel", "Member", "Snapshot"]
