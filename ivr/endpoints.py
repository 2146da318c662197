"""Where a package may be pushed to: an address somebody typed into a file."""

from __future__ import annotations

from urllib.parse import urlsplit

_HERE = ("127.0.0.1", "localhost", "::1")


def is_endpoint(text: str, *, insecure: bool = False) -> bool:
    """`https://…`; plain `http://` on this machine only (a gateway beside us), or when that was asked for. A name or
    password in the address would end up in logs on the way."""
    if any(ord(char) <= 32 or ord(char) == 127 for char in text):
        return False
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (insecure or host in _HERE))
