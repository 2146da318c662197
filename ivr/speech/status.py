"""`data_dir/run/speech.json`: what the speech workers say of themselves, for engine, /health, metrics and people."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FRESH_S = 1.5
"""The file is written four times a second; an older one is of a process that hangs or is gone."""


@dataclass
class WorkerSays:
    """One worker, as the pool knows it. `state`: starting · ready · silent (it hangs) · stopped."""

    pid: int | None = None
    state: str = "starting"
    streams: int = 0
    free_urgent: int = 0
    free_ordinary: int = 0
    counts: Mapping[str, float] = field(default_factory=dict)


def path_in(data_dir: Path) -> Path:
    return data_dir.resolve() / "run" / "speech.json"


def write_status(
    path: Path, pid: int, model: str, workers: Mapping[str, WorkerSays], restarts: int, second: Mapping[str, object]
) -> None:
    """Whole or not at all; raises OSError. `second`: of the second ear (second_keeper.SecondSays)."""
    said = {
        "at": time.time(),
        "pid": pid,
        "model": model,
        "restarts": restarts,
        "free_urgent": sum(w.free_urgent for w in workers.values() if w.state == "ready"),
        "free_ordinary": sum(w.free_ordinary for w in workers.values() if w.state == "ready"),
        "second_ear": dict(second),
        "workers": {name: asdict(worker) for name, worker in workers.items()},
    }
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(said))
    fresh.replace(path)


class SpeechStatus:
    """What a reader may believe: nothing that is older than FRESH_S."""

    def __init__(self, data_dir: Path) -> None:
        self._path = path_in(data_dir)

    def read(self) -> dict[str, Any]:
        """Empty when no speech workers run here."""
        try:
            said = json.loads(self._path.read_bytes())
            if not abs(time.time() - float(said["at"])) <= FRESH_S:
                return {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return dict(said)

    def free(self, *, urgent: bool) -> int:
        """Streams that would be admitted now."""
        found = self.read().get("free_urgent" if urgent else "free_ordinary", 0)
        return found if isinstance(found, int) else 0
