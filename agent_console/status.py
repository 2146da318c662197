"""What the other parts say about themselves: two small files in `data_dir/run`, written by supervisor and engine."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STALE_S = 5.0
DEVICE_STATES = ("idle", "ringing", "in_use", "unavailable")
# The supervisor's words -> ours.
_STATES = {"ready": "ok", "starting": "starting", "waiting": "starting", "restarting": "starting"}


@dataclass(frozen=True, slots=True)
class EngineSays:
    """`fresh` is false when the engine has not written for 5 s: then nothing else of it is believed."""

    fresh: bool = False
    pid: int | None = None
    ami_up: bool = False
    devices: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    state: str
    pid: int | None = None
    since: str | None = None
    restarts: int | None = None


def read_engine(data_dir: Path, now: datetime | None = None) -> EngineSays:
    says = _read(data_dir / "run" / "engine.json")
    try:
        at = datetime.fromisoformat(str(says["at"]))
        age = ((now or datetime.now(UTC)) - at).total_seconds()
        if not -STALE_S <= age <= STALE_S:
            return EngineSays()
        devices = says.get("devices")
        known = {
            str(name): state if state in DEVICE_STATES else "unknown"
            for name, state in (devices.items() if isinstance(devices, dict) else ())
        }
        return EngineSays(True, _pid(says.get("pid")), says.get("ami") == "up", known)
    except (KeyError, ValueError, TypeError):
        return EngineSays()


def read_parts(data_dir: Path, *, database_ok: bool) -> dict[str, Part]:
    """Every part this system has, whether or not the supervisor runs it."""
    board = _read(data_dir / "run" / "parts.json")
    says = read_engine(data_dir)
    engine, asterisk, speech = (_entry(board, name) for name in ("engine", "asterisk", "speech"))
    parts = {
        "asterisk": _judge(asterisk, says.ami_up or (asterisk.state == "ok" and _alive(asterisk.pid))),
        "engine": _judge(engine, says.fresh, says.pid),
        "speech": speech if "speech" in board else Part("not_installed"),
        "console": Part("ok", os.getpid()),
        "database": Part("ok" if database_ok else "down"),
    }
    if "speech" in board:
        parts["speech"] = _judge(speech, speech.state == "ok" and _alive(speech.pid))
    return parts


def spoils(part: Part) -> bool:
    return part.state not in ("ok", "not_installed")


def _judge(entry: Part, serves: bool, pid: int | None = None) -> Part:
    state = "ok" if serves else ("starting" if entry.state == "starting" else "down")
    return Part(state, pid or entry.pid, entry.since, entry.restarts)


def _entry(board: dict[str, Any], name: str) -> Part:
    row = board.get(name)
    if not isinstance(row, dict):
        return Part("down")
    restarts = row.get("restarts")
    return Part(
        _STATES.get(str(row.get("state")), "down"),
        _pid(row.get("pid")),
        str(row["since"]) if row.get("since") else None,
        restarts if isinstance(restarts, int) else None,
    )


def _pid(value: object) -> int | None:
    return value if isinstance(value, int) and value > 1 else None


def _alive(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
