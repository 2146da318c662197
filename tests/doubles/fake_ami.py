"""A manager interface on a real socket that answers as told, and misbehaves as told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

Headers = dict[str, str]
Action = list[tuple[str, str]]
"""Headers in the order they were sent: a header may come more than once."""
Answer = Callable[[Action], bytes | None]
"""What to write back; None: nothing at all."""
BANNER = b"Asterisk Call Manager/11.0.0\r\n"


def message(*headers: tuple[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers).encode() + b"\r\n"


def value(action: Action, name: str) -> str:
    return next((v for n, v in action if n.lower() == name.lower()), "")


def values(action: Action, name: str) -> list[str]:
    return [v for n, v in action if n.lower() == name.lower()]


def success(action: Action, *more: tuple[str, str]) -> bytes:
    return message(("Response", "Success"), ("ActionID", value(action, "ActionID")), *more)


def error(action: Action, why: str) -> bytes:
    return message(("Response", "Error"), ("ActionID", value(action, "ActionID")), ("Message", why))


def listing(action: Action, name: str, *rows: Headers, complete: bool = True) -> bytes:
    """Asterisk's list answers: a start, one event per row, an end that counts them."""
    action_id = ("ActionID", value(action, "ActionID"))
    data = success(action, ("EventList", "start"), ("Message", "list will follow"))
    for row in rows:
        data += message(("Event", name), action_id, *row.items())
    if complete:
        end = ("EventList", "Complete"), ("ListItems", str(len(rows)))
        data += message(("Event", f"{name}Complete"), action_id, *end)
    return data


class FakeAmi:
    """`async with FakeAmi(port) as ami:`. `ami.answers["Originate"] = …` changes one action's answer."""

    def __init__(self, port: int, secret: str = "right") -> None:
        self.port, self._secret = port, secret
        self.actions: list[Action] = []
        self.logins = 0
        self.silent = False
        self.answers: dict[str, Answer] = {
            "Ping": lambda a: success(a, ("Ping", "Pong")),
            "CoreShowChannels": lambda a: listing(a, "CoreShowChannel"),
            "QueueStatus": lambda a: listing(a, "QueueMember"),
            "DeviceStateList": lambda a: listing(a, "DeviceStateChange"),
        }
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Nobody listens any more and every session is reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()
        await asyncio.sleep(0)

    def cut(self) -> None:
        """Reset every session; new ones are welcome."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def send(self, *pieces: bytes, pause_s: float = 0.02) -> None:
        """To every session, each piece in a segment of its own."""
        for piece in pieces:
            for writer in self._writers:
                writer.write(piece)
                await writer.drain()
            await asyncio.sleep(pause_s)

    def sent(self, name: str) -> list[Action]:
        return [action for action in self.actions if value(action, "Action") == name]

    async def until(self, name: str, count: int = 1, within: float = 5.0) -> list[Action]:
        """The actions of this name, once there are so many."""
        async with asyncio.timeout(within):
            while len(found := self.sent(name)) < count:
                self._news.clear()
                await self._news.wait()
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.get_extra_info("socket").setsockopt(6, 1, 1)  # TCP_NODELAY: pieces stay pieces
        self._writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(BANNER)
            while True:
                raw = (await reader.readuntil(b"\r\n\r\n")).decode()
                action = [(n, v.lstrip()) for n, _, v in (line.partition(":") for line in raw.strip().split("\r\n"))]
                answer = self._answer(action)
                if answer is not None and not self.silent:
                    writer.write(answer)
                    await writer.drain()
        self._writers.discard(writer)
        writer.close()

    def _answer(self, action: Action) -> bytes | None:
        name = value(action, "Action")
        if name == "Login":
            if value(action, "Secret") != self._secret:
                return error(action, "Authentication failed")
            self.logins += 1
            return success(action, ("Message", "Authentication accepted")) + message(
                ("Event", "FullyBooted"), ("Status", "Fully Booted")
            )
        self.actions.append(action)
        self._news.set()
        return self.answers.get(name, success)(action)
