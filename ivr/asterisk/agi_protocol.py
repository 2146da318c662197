"""FastAGI on the wire: reading the greeting, quoting commands, understanding replies. No sockets here but a stream.

Facts: res_agi.c. Commands up to 8,192 bytes; `HANGUP` may stand between replies and is a signal, never a reply; 520 is
several lines; 511 means the channel is gone; EXEC returning 1 is followed by a usage text that answers nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_HEADER_BYTES = 16_384
MAX_HEADER_LINES = 100
MAX_COMMAND_BYTES = 8_000

_REPLY = re.compile(r"(\d{3})(?:[ -](.*)|$)", re.DOTALL)
_RESULT = re.compile(r"result=(-?\d+)(?:\s*\((.*?)\))?(?:\s+endpos=(\d+))?")


class AgiProtocolError(Exception):
    """The peer is not Asterisk, or not at its best; names what was wrong, never quotes it."""


@dataclass(frozen=True, slots=True)
class AgiReply:
    code: int
    result: int
    data: str = ""
    endpos: int | None = None
    rest: str = field(default="", compare=False)
    """All that follows the code; `SPEECH RECOGNIZE` tells its results here."""


def parse_header(raw: bytes) -> dict[str, str]:
    """The `agi_name: value` block. Names arrive in any bytes: broken UTF-8 becomes U+FFFD.

    A line break in the caller's name could repeat a field. Asterisk writes the channel's own before the name and the
    dialplan's arguments after it, so of those the first counts and of these the last.

    Raises:
        AgiProtocolError: no such block.
    """
    if len(raw) > MAX_HEADER_BYTES:
        raise AgiProtocolError(f"AGI header over {MAX_HEADER_BYTES} bytes")
    lines = raw.decode("utf-8", "replace").split("\n")
    if len(lines) > MAX_HEADER_LINES:
        raise AgiProtocolError(f"AGI header over {MAX_HEADER_LINES} lines")
    env: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r")
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.startswith("agi_"):
            # A caller's name that held a line break continues here: drop the line, keep the call.
            if env:
                continue
            raise AgiProtocolError(f"AGI header line {number}: not 'agi_name: value'")
        if name.startswith("agi_arg_") or name not in env:
            env[name] = value.strip()
    # agi_threadid is the last before the arguments: without it a blank line in somebody's name has cut the block.
    for name in ("agi_uniqueid", "agi_network_script", "agi_threadid"):
        if name not in env:
            raise AgiProtocolError(f"AGI header: {name} is missing")
    return env


def quote(value: str) -> str:
    """One argument as res_agi.c parse_args reads it: double quotes group, backslash escapes, a newline would end it.

    Raises:
        ValueError: a line break or NUL.
    """
    if any(c in value for c in "\r\n\0"):
        raise ValueError("a line break in an AGI argument")
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def command_line(verb: str, *arguments: str) -> bytes:
    line = " ".join([verb, *(quote(argument) for argument in arguments)]).encode("utf-8") + b"\n"
    if len(line) > MAX_COMMAND_BYTES:
        raise ValueError("an AGI command over 8,000 bytes")
    return line


def parse_reply(line: str) -> AgiReply | None:
    """A reply, or None for a line that answers nothing (the tail of a usage text).

    Raises:
        AgiProtocolError: not a reply at all.
    """
    match = _REPLY.match(line)
    if match is None:
        return None
    code, rest = int(match[1]), match[2] or ""
    if code != 200:
        return AgiReply(code, -1, rest)
    result = _RESULT.match(rest)
    if result is None:
        raise AgiProtocolError("an AGI reply without result")
    return AgiReply(code, int(result[1]), result[2] or "", int(result[3]) if result[3] else None, rest)
