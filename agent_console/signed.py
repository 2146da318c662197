"""Signed requests: HMAC-SHA256 with a source's own secret over time and body.

    X-Yinling-Source: radar-cloud
    X-Yinling-Timestamp: 1732252800.123
    X-Yinling-Signature: hex of HMAC-SHA256(secret, timestamp + "\\n" + body)

The time is the sender's, right or wrong: it makes each message different and is never compared with ours to refuse one.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from agent_console.keys import SOURCES
from agent_console.validation import Refused
from agent_console.who import Principal, digest

SOURCE = "X-Yinling-Source"
TIMESTAMP = "X-Yinling-Timestamp"
SIGNATURE = "X-Yinling-Signature"
_SECONDS = re.compile(r"\d{1,15}(\.\d{1,9})?")
_NOBODYS = "the secret of a source that does not exist"


@dataclass(frozen=True, slots=True)
class Signed:
    source: str
    sent_at: datetime
    key: str
    """The same message has the same: a repeat, by whomever, is known by it."""

    def key_for(self, given: str | None) -> str:
        """A key of the sender's own is his alone."""
        return self.key if given is None else f"src:{self.source}:{digest(given)}"


def is_signed(request: web.Request) -> bool:
    return SIGNATURE in request.headers


async def check(request: web.Request, body: bytes) -> tuple[Principal, Signed]:
    """Raises Refused: 401 when the signature is not that of this source, 422 for a time that is no number."""
    name = request.headers.get(SOURCE, "")
    stamp = request.headers.get(TIMESTAMP, "")
    given = request.headers[SIGNATURE].strip().lower()
    secret = await request.app[SOURCES].secret(name) if name else None
    right = sign(secret or _NOBODYS, stamp, body)
    if not hmac.compare_digest(right.encode(), given.encode("utf-8", "replace")) or secret is None:
        raise Refused(401, "bad_signature", "签名不对，或来源未知。", "The signature is wrong, or the source unknown.")
    if not _SECONDS.fullmatch(stamp):
        raise Refused(
            422, "bad_time", f"“{TIMESTAMP}”必须是 Unix 秒数。", f"{TIMESTAMP} must be seconds since 1970.", TIMESTAMP
        )
    seconds = min(float(stamp), 253_402_300_799.0)  # the year 9999: a counter is no reason to lose an alarm
    return Principal(name, "source"), Signed(name, datetime.fromtimestamp(seconds, UTC), f"sig:{name}:{right}")


def sign(secret: str, stamp: str, body: bytes) -> str:
    message = stamp.encode("utf-8", "replace") + b"\n" + body
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
