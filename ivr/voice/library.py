"""The recordings: one file per name or address, found by what it says, and unreadable to anybody else.

A file is called after a keyed hash of its text, so that the folder tells nobody who lives here; a changed name has
another file and the old one can never be played for it. Two people of one name share a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Collection
from pathlib import Path

KEY = ".key"
SUFFIX = ".alaw"
NOW = "now"
"""Folder of what calls play at present: our words and a name, joined."""
JOINED_KEPT_S = 86_400.0
"""An emergency is over by then; the next one joins anew in milliseconds."""
RECIPE = "1:zf_xiaoxiao:0.83"
"""Raised when the sound of an unchanged text changes: voice, pace, level."""


class Library:
    """`folder` is made at the first recording, mode 0700; files are 0600."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = b""

    def path(self, text: str) -> Path:
        """Where the recording of `text` is, or would be."""
        name = hashlib.blake2b(f"{RECIPE}:{text}".encode(), key=self._secret(), digest_size=16).hexdigest()
        return self.folder / name[:2] / f"{name[2:]}{SUFFIX}"

    def find(self, text: str) -> bytes | None:
        """The recording as A-law; None when there is none. Never makes anything."""
        if not self._secret(make=False):
            return None
        try:
            return self.path(text).read_bytes() or None
        except OSError:
            return None

    def put(self, text: str, audio: bytes) -> None:
        path = self.path(text)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_own(path, audio)

    def prune(self, wanted: Collection[Path]) -> int:
        """Remove every recording that nobody needs any more; returns how many."""
        removed = 0
        for path in self.folder.glob(f"[0-9a-f][0-9a-f]/*{SUFFIX}"):
            if path not in wanted:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def keep_joined(self, name: str, audio: bytes) -> Path:
        """Lay our words joined with a recording ready for Asterisk; older ones go. Returns the path without suffix."""
        folder = self.folder / NOW
        folder.mkdir(mode=0o700, exist_ok=True)
        self.drop_joined(older_than_s=JOINED_KEPT_S)
        write_own(folder / f"{name}{SUFFIX}", audio)
        return folder / name

    def drop_joined(self, *, older_than_s: float = 0.0, keep: Collection[str] | None = None) -> None:
        """Remove joined files that are old, or that do not begin with the stem of a recording in `keep`."""
        for joined in (self.folder / NOW).glob(f"*{SUFFIX}"):
            with contextlib.suppress(OSError):
                gone = keep is not None and joined.name.partition("-")[0] not in keep
                if gone or time.time() - joined.stat().st_mtime > older_than_s:
                    joined.unlink()

    def forget(self) -> int:
        """Remove all of them."""
        self.drop_joined(older_than_s=-1.0)
        return self.prune(())

    def _secret(self, *, make: bool = True) -> bytes:
        if not self._key:
            file = self.folder / KEY
            if make and not file.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                self.folder.chmod(0o700)
                fresh = file.with_name(f"{KEY}.{os.getpid()}")
                write_own(fresh, secrets.token_bytes(32))
                try:
                    os.link(fresh, file)  # never over one that another process made first
                except FileExistsError:
                    pass
                finally:
                    fresh.unlink()
            try:
                self._key = file.read_bytes()[:32]
            except OSError:
                return b""
        return self._key


def write_own(path: Path, data: bytes) -> None:
    """Whole or not at all, mode 0600."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    fresh.replace(path)
