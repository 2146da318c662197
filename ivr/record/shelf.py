"""The folder of recordings: what lies there, how long it is, what its hash is."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from ivr.domain.recordings import named, place_of

log = logging.getLogger(__name__)

HEADER = 44
BYTES_PER_SECOND = 16_000  # 8,000 samples of 16 bits, one channel: Asterisk's `wav`
STILL_S = 10.0
"""A file that has not grown for so long belongs to nobody any more: Asterisk went down under it."""


@dataclass(frozen=True, slots=True)
class Found:
    """One recording as it lies there. `began_at`, `changed_at`: seconds since 1970."""

    file: str
    seconds: float
    changed_at: float
    whole: bool
    """Asterisk has closed it: its header says how long it is."""

    @property
    def began_at(self) -> float:
        return self.changed_at - self.seconds


class Shelf:
    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, file: str) -> Path:
        """Raises ValueError: not a name of ours, so it may lead anywhere."""
        if named(file) is None:
            raise ValueError("not the name of a recording")
        return self.root / file

    def put_away(self) -> None:
        """Rooms' own recordings into the rooms' folders. Asterisk writes on in one that is moved: it stays the file."""
        try:
            beside = [entry.name for entry in self.root.iterdir() if entry.name.startswith("confbridge-")]
        except OSError:
            return
        for name in beside:
            place = place_of(name)
            if place is None or (self.root / place).exists():
                continue
            try:
                (self.root / place).parent.mkdir(mode=0o700, exist_ok=True)
                (self.root / name).rename(self.root / place)
            except OSError as exc:
                log.error("a room's recording stays beside its folder for now: %s", exc.strerror)

    def rooms(self) -> list[str]:
        self.put_away()
        try:
            return sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())
        except OSError:
            return []

    def look(self, rooms: Iterable[str]) -> list[Found]:
        """Every recording of these rooms; what cannot be read is left out."""
        self.put_away()
        found: list[Found] = []
        for room in rooms:
            try:
                names = sorted(entry.name for entry in (self.root / room).iterdir())
            except OSError:
                continue
            for name in names:
                if named(f"{room}/{name}") and (one := self._one(f"{room}/{name}")):
                    found.append(one)
        return found

    def _one(self, file: str) -> Found | None:
        path = self.root / file
        try:
            stat = path.stat()
            with path.open("rb") as opened:
                head = opened.read(HEADER)
        except OSError:
            return None
        said = struct.unpack_from("<I", head, 40)[0] if len(head) == HEADER else 0
        inside = max(0, stat.st_size - HEADER)
        # Closed files of odd length get one byte more.
        whole = said > 0 and inside - 1 <= said <= inside
        return Found(file, inside / BYTES_PER_SECOND, stat.st_mtime, whole)

    def mend(self, file: str) -> None:
        """Asterisk writes the length into the header when it closes the file; when it was killed, we do."""
        path = self.path(file)
        inside = path.stat().st_size - HEADER
        if inside <= 0:
            return
        with path.open("r+b") as opened:
            opened.seek(4)
            opened.write(struct.pack("<I", inside + HEADER - 8))
            opened.seek(40)
            opened.write(struct.pack("<I", inside))

    def sha256(self, file: str) -> str | None:
        """None: it is not there."""
        try:
            with self.path(file).open("rb") as opened:
                return file_digest(opened, "sha256").hexdigest()
        except OSError:
            return None

    def remove(self, file: str) -> None:
        """Raises OSError."""
        path = self.path(file)
        path.unlink(missing_ok=True)
        try:
            path.parent.rmdir()
        except OSError:
            return  # others are left in it
