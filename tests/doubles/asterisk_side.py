"""Asterisk's side of one FastAGI connection, on a real socket: says what res_agi.c would say, and worse."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from types import TracebackType
from typing import Self

GREETING = {
    "agi_network": "yes",
    "agi_network_script": "arrival",
    "agi_request": "agi://127.0.0.1:4573/arrival",
    "agi_channel": "PJSIP/trunk-00000001",
    "agi_language": "zh_CN",
    "agi_type": "PJSIP",
    "agi_uniqueid": "1700000000.1",
    "agi_version": "22.10.1",
    "agi_callerid": "02150001111",
    "agi_calleridname": "王秀英",
    "agi_context": "arrival",
    "agi_extension": "s",
    "agi_threadid": "140000000000000",
    "agi_arg_1": "12349",
    "agi_arg_2": "02150001111",
    "agi_arg_3": "1700000000.1",
}


def greeting(**fields: str | bytes) -> bytes:
    """The header block, in Asterisk's order; a field is changed in its place, a new one comes last."""
    values: dict[str, str | bytes] = {**GREETING, **fields}
    lines = [name.encode() + b": " + _bytes(value) + b"\n" for name, value in values.items()]
    return b"".join(lines) + b"\n"


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


class AsteriskSide:
    """`async with AsteriskSide(port) as asterisk:` connects; commands come out of `command()`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.commands: list[str] = []

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def command(self, within: float = 5.0) -> str:
        """The next command line, without its end; "" when the engine has closed."""
        async with asyncio.timeout(within):
            line = (await self.reader.readline()).decode("utf-8").rstrip("\n")
        if line:
            self.commands.append(line)
        return line

    async def serve(self, answers: Mapping[str, bytes] | None = None) -> list[str]:
        """Answer every command (`200 result=0` unless its beginning is in `answers`) until the engine closes."""
        while line := await self.command():
            found = next((a for start, a in (answers or {}).items() if line.startswith(start)), b"200 result=0\n")
            await self.say(found)
        return self.commands

    async def closed(self, within: float = 5.0) -> bool:
        """True once the engine has closed; what it still wrote is dropped."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(within):
                while await self.reader.read(4096):
                    pass
        return True
