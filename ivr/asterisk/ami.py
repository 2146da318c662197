"""The only module that imports panoramisk: one AMI session each time, and what it does wrong put right.

Cured here (asterisk-notes 7.2): characters split over two segments (E1), exceptions in callbacks (E2), lists that never
end (E3), actions repeated at reconnect (E5), reconnects after close (E6), actions before log-in (E7), CR/LF injection
(E8), event order (E9), a wrong secret that retries for ever (E11), a peer that stops answering (E12).
"""

from __future__ import annotations

import asyncio
import codecs
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

log = logging.getLogger(__name__)


class AmiError(Exception):
    """Something about the manager interface; the text never holds callers' data."""


class AmiUnavailable(AmiError):
    """Not connected: the action was not sent."""


class AmiUnconfirmed(AmiError):
    """Sent, and the link was lost or silent before the answer: it may have happened. Look before repeating."""


class AmiRefused(AmiError):
    """Asterisk answered with an error (or refused the log-in); the text is Asterisk's own."""


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """One event or reply. Header names are lower case; a missing header is the empty string."""

    name: str
    headers: dict[str, str]

    def __getitem__(self, header: str) -> str:
        return self.headers.get(header, "")


def _event(message: Any) -> AmiEvent:
    headers = {str(key).lower(): str(value[-1] if isinstance(value, list) else value) for key, value in message.items()}
    return AmiEvent(headers.get("event", ""), headers)


def parse_event(block: str) -> AmiEvent:
    """One event's lines, without the blank line that ends it; a header said twice has its last value."""
    headers: dict[str, str] = {}
    for line in block.split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name.lower()] = value.strip()
    return AmiEvent(headers.get("event", ""), headers)


class _Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """Decodes across segment borders; a broken byte becomes U+FFFD instead of vanishing.

    An event that answers no action of ours is read here: panoramisk's Message costs four times as much, and every call
    brings events. Replies, and events that belong to them (ActionID), are panoramisk's.
    """

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = ""

    def data_received(self, data: bytes) -> None:
        *blocks, self._tail = (self._tail + self._decoder.decode(data)).split("\r\n\r\n")
        for block in blocks:
            block = block.strip()
            on_event = getattr(self.factory, "on_event", None)
            if on_event and block.startswith("Event: ") and "\r\nActionID:" not in block and "Shutdown" not in block:
                on_event(parse_event(block))
            else:
                super().data_received(f"{block}\r\n\r\n".encode())


class _Listing(Action):  # type: ignore[misc]
    """An action that answers with a list; one that is refused has no list to wait for."""

    def add_message(self, message: Any) -> Any:
        if message.response.lower() == "error" and not self.future.done():
            self.future.set_result([message])
            return True
        return super().add_message(message)


class _OneSession(Manager):  # type: ignore[misc]
    """Connects once. Reconnecting, and what to do about it, is ours to decide."""

    _started = False
    on_event: Callable[[AmiEvent], None] | None = None

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        if self._started:
            return None
        self._started = True
        return super().connect(*args, **kwargs)


def _check_values(fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        values = value if isinstance(value, list | tuple) else [value]
        for item in values:
            if any(c in str(item) for c in "\r\n\0"):
                raise ValueError(f"a line break in AMI header {name}")


class AmiSession:
    """One logged-in connection. Made by `connect`; dead once `lost` is set."""

    def __init__(self, manager: _OneSession, lost: asyncio.Event) -> None:
        self._manager = manager
        self.lost = lost

    @classmethod
    async def connect(
        cls, port: int, username: str, secret: str, on_event: Callable[[AmiEvent], None] | None, within_s: float = 5.0
    ) -> AmiSession:
        """Connect and log in.

        Args:
            on_event: called in order for every event; must only put it somewhere.

        Raises:
            AmiUnavailable: nobody listens, or no answer within `within_s`.
            AmiRefused: the secret is wrong.
        """
        lost = asyncio.Event()
        manager = _OneSession(
            host="127.0.0.1",
            port=port,
            username=username,
            secret=secret,
            events="on" if on_event else "off",
            protocol_factory=_Protocol,
            ping_delay=3600,  # our own watchdog pings and looks at the answer
            ping_interval=3600,
            loop=asyncio.get_running_loop(),
            log=log.getChild("panoramisk"),
            on_disconnect=lambda _manager, _exc: lost.set(),
        )
        manager.log.setLevel(logging.CRITICAL)
        if on_event is not None:
            manager.on_event = on_event
            manager.register_event("*", lambda _manager, message: on_event(_event(message)))
        try:
            async with asyncio.timeout(within_s):
                await manager.connect()
                await asyncio.sleep(0)  # connection_made is a callback of that task
                reply = await manager.authenticated_future
        except (OSError, TimeoutError):
            _drop(manager)
            raise AmiUnavailable(f"no manager interface on port {port}") from None
        if not reply.success:
            _drop(manager)
            raise AmiRefused(f"log-in of {username} refused")
        return cls(manager, lost)

    async def action(self, name: str, *, within_s: float = 3.0, **fields: Any) -> AmiEvent:
        """Send one action and return its reply.

        Raises:
            AmiUnavailable, AmiUnconfirmed, AmiRefused; ValueError for a line break in a value.
        """
        reply = await self._send(name, fields, as_list=False, within_s=within_s)
        return _refuse_errors(_event(reply))

    async def listing(self, name: str, *, within_s: float = 5.0, **fields: Any) -> list[AmiEvent]:
        """Send an action that answers with a list of events; the closing `…Complete` is left out."""
        messages = [_event(m) for m in await self._send(name, fields, as_list=True, within_s=within_s)]
        _refuse_errors(messages[0])
        return [event for event in messages[1:] if not event.name.endswith("Complete")]

    async def _send(self, name: str, fields: dict[str, Any], *, as_list: bool, within_s: float) -> Any:
        if self.lost.is_set():
            raise AmiUnavailable("the manager interface is away")
        _check_values(fields)
        action = {"Action": name, **fields}
        future = self._manager.send_action(_Listing(action) if as_list else action, as_list=as_list)
        gone = asyncio.create_task(self.lost.wait(), name="ami-lost")
        try:
            await asyncio.wait({future, gone}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
            if future.done():
                return future.result()
            raise AmiUnconfirmed(f"no answer to {name}")
        finally:
            gone.cancel()
            if not future.done():
                future.cancel()

    async def watch(self, interval_s: float = 5.0, answer_within_s: float = 2.0) -> None:
        """Ping until the link is lost; a silent peer counts as lost (half-open TCP, stopped process)."""
        while not self.lost.is_set():
            try:
                async with asyncio.timeout(interval_s):
                    await self.lost.wait()
            except TimeoutError:
                try:
                    await self.action("Ping", within_s=answer_within_s)
                except AmiError:
                    self.close()

    def close(self) -> None:
        self.lost.set()
        _drop(self._manager)


def _refuse_errors(reply: AmiEvent) -> AmiEvent:
    if reply["response"].lower() == "error":
        raise AmiRefused(reply["message"] or "error")
    return reply


def _drop(manager: _OneSession) -> None:
    manager.close()
    protocol = manager.protocol
    if protocol is not None and getattr(protocol, "transport", None) is not None:
        protocol.transport.abort()


OnUp = Callable[["AmiSession"], Awaitable[None]]


async def keep_session(
    port: int,
    username: str,
    secret: str,
    *,
    on_event: Callable[[AmiEvent], None] | None,
    on_up: OnUp,
    on_down: Callable[[], Awaitable[None]],
) -> None:
    """Hold a session for ever, back-off 0.2 s to 2 s. `on_up` runs after each log-in, `on_down` after each loss."""
    pause = 0.2
    while True:
        try:
            session = await AmiSession.connect(port, username, secret, on_event)
        except AmiError as exc:
            log.warning("manager interface: %s", exc)
            await asyncio.sleep(pause)
            pause = min(2.0, pause * 2)
            continue
        try:
            await on_up(session)
            pause = 0.2
            await session.watch()
        except AmiError as exc:  # still booting, and no queue to ask about: not again at once
            log.warning("manager interface lost: %s", exc)
        finally:
            session.close()
            await on_down()
        await asyncio.sleep(pause)
        pause = min(2.0, pause * 2)
