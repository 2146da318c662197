"""The official Mandarin models of Vosk, where their publisher keeps them, and how each is known to be whole.

Small: size and SHA-256 as published by two mirrors that agree. Big: no SHA-256 was found in public, so the MD5 in the
publisher's own list is used, which tells damage from a whole file but not a forger with the publisher's keys.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

PUBLISHER = "https://alphacephei.com/vosk/models"
LIST_LIMIT = 5_000_000


@dataclass(frozen=True, slots=True)
class Official:
    name: str
    about_mb: int
    """Size of the download, for people."""
    size: int | None = None
    """Bytes."""
    sha256: str = ""

    @property
    def file(self) -> str:
        return f"{self.name}.zip"


SMALL = Official(
    "vosk-model-small-cn-0.22", 44, 43_898_754, "3af8b0e7e0f835ae9d414ce5df580237a3cfb08d586c9fbbb0f7ff29ad5b14ba"
)
BIG = Official("vosk-model-cn-0.22", 1360)
OFFICIAL = {"small": SMALL, "big": BIG}


def listed_md5(text: bytes, name: str) -> tuple[str, int] | None:
    """(MD5, size) of a model in the publisher's `model-list.json`; None when it is not there or makes no sense."""
    try:
        for entry in json.loads(text):
            if entry["name"] == name:
                md5, size = str(entry["md5"]).lower(), int(entry["size"])
                return (md5, size) if len(md5) == 32 and size > 0 else None
    except (ValueError, TypeError, KeyError):
        return None
    return None
