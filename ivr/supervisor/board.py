"""`data_dir/run/parts.json`: what runs, for `/health`, `ivr doctor` and people."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass
class Entry:
    pid: int | None = None
    state: str = "waiting"
    """waiting · starting · ready · restarting · dead (not restarted) · stopping · stopped"""
    since: str = ""
    restarts: int = 0


class Board:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}

    def set(self, name: str, state: str, pid: int | None, restarts: int) -> None:
        """Readers see the file before or after the change, never half of it."""
        since = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._entries[name] = Entry(pid, state, since, restarts)
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps({n: asdict(e) for n, e in self._entries.items()}, indent=1))
            os.replace(fresh, self._path)
        except OSError as error:  # a full disk must not stop the parts that still serve
            print(f"{self._path}: {error.strerror}", file=sys.stderr, flush=True)


def read_board(path: Path) -> dict[str, Entry]:
    """Empty when the system never ran here."""
    try:
        return {str(name): Entry(**entry) for name, entry in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
