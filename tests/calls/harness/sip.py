"""SIP 报文里测试所需的部分。The parts of a SIP message that tests care about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

Address = tuple[str, int]

_COMPACT = {
    "i": "call-id",
    "f": "from",
    "t": "to",
    "v": "via",
    "m": "contact",
    "c": "content-type",
    "l": "content-length",
}
_USER = re.compile(r"sips?:([^@;>]*)@", re.IGNORECASE)
_MEDIA = re.compile(r"^m=audio (\d+) ", re.MULTILINE)
_CONNECTION = re.compile(r"^c=IN IP4 ([0-9.]+)", re.MULTILINE)
_EVENT = re.compile(r"^a=rtpmap:(\d+) telephone-event/8000", re.MULTILINE)


class NotSip(ValueError):
    """The datagram is no SIP message."""


@dataclass(frozen=True)
class Media:
    """Where a far end wants its audio, and its payload type for RFC 4733 keys (None: it takes none)."""

    host: str
    port: int
    key_payload_type: int | None

    @property
    def address(self) -> Address:
        return self.host, self.port


@dataclass(frozen=True)
class SipMessage:
    start: str
    headers: dict[str, list[str]]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> SipMessage:
        text = data.decode("utf-8", "surrogateescape")
        head, _, body = text.partition("\r\n\r\n")
        start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        if not (start.startswith("SIP/2.0 ") or start.endswith(" SIP/2.0")):
            raise NotSip(start[:60])
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise NotSip(line[:60])
            name = name.strip().lower()
            headers.setdefault(_COMPACT.get(name, name), []).append(value.strip())
        message = cls(start, headers, body)
        if not (message.call_id and message.cseq_method and "via" in headers and len(start.split(" ")) >= 3):
            raise NotSip(f"{start[:60]}: a header is missing")
        if message.is_response and not start.split(" ")[1].isdigit():
            raise NotSip(start[:60])
        return message

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), [""])[0]

    @property
    def is_response(self) -> bool:
        return self.start.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """Method of a request, "" for a response."""
        return "" if self.is_response else self.start.split(" ")[0]

    @property
    def status(self) -> int:
        """Status of a response, 0 for a request."""
        return int(self.start.split(" ")[1]) if self.is_response else 0

    @property
    def call_id(self) -> str:
        return self.header("call-id")

    @property
    def cseq_method(self) -> str:
        parts = self.header("cseq").split()
        return parts[1] if len(parts) == 2 and parts[0].isdigit() else ""

    @property
    def number(self) -> str:
        """User part of the request URI: the number called."""
        found = _USER.match(self.start.partition(" ")[2])
        return found[1] if found else ""

    @property
    def caller(self) -> str:
        found = _USER.search(self.header("from"))
        return found[1] if found else ""

    @property
    def caller_name(self) -> str:
        return self.header("from").partition("<")[0].strip().strip('"')

    @property
    def in_dialog(self) -> bool:
        return ";tag=" in self.header("to")

    @cached_property
    def media(self) -> Media | None:
        audio, where = _MEDIA.search(self.body), _CONNECTION.search(self.body)
        if not audio or not where:
            return None
        event = _EVENT.search(self.body)
        return Media(where[1], int(audio[1]), int(event[1]) if event else None)


def reply(to: SipMessage, status: int, reason: str) -> bytes:
    """A response of the carrier's own, for what no phone answers."""
    lines = [f"SIP/2.0 {status} {reason}"]
    lines += [f"Via: {via}" for via in to.headers["via"]]
    tag = "" if to.in_dialog else ";tag=carrier"
    lines += [f"From: {to.header('from')}", f"To: {to.header('to')}{tag}", f"Call-ID: {to.call_id}"]
    lines += [f"CSeq: {to.header('cseq')}", "Content-Length: 0", "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def command(word: str, call_id: str, serial: int) -> bytes:
    """An order of the test to the SIPp process that plays one call; no SIP method, never seen by Asterisk."""
    lines = [
        f"{word} sip:phone@harness SIP/2.0",
        f"Via: SIP/2.0/UDP harness;branch=z9hG4bK-order-{serial}",
        "From: <sip:test@harness>;tag=test",
        "To: <sip:phone@harness>;tag=phone",
        f"Call-ID: {call_id}",
        f"CSeq: 1 {word}",
        "Content-Length: 0",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()
