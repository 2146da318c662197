"""The signature of a package: HMAC-SHA256 over the time and the body, so that neither can be changed or replayed."""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP, SIGNATURE, KEY = "X-Yinling-Timestamp", "X-Yinling-Signature", "Idempotency-Key"
SCHEME = "v1="


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`v1=` and the hexadecimal HMAC of `TIMESTAMP.BODY`, bytes as sent."""
    signed = timestamp.encode() + b"." + body
    return SCHEME + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
