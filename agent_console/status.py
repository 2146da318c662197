"""What the other parts say about themselves: small files in `data_dir/run`, written by each of them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

STALE_S = 5.0
SECOND_EAR_STATES = ("off", "loading", "ready", "away")
SECOND_EAR_COUNTS = ("heard", "dropped", "failed", "waiting")
TRUNK_STATES = ("ok", "second", "down")
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
    trunk: str | None = None
    """ok · second (only the second trunk answers) · down; None where trunks are not asked."""


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
        trunk = says.get("trunk")
        trunk = str(trunk) if trunk in TRUNK_STATES else None
        return EngineSays(True, _pid(says.get("pid")), says.get("ami") == "up", known, trunk)
    except (KeyError, ValueError, TypeError):
        return EngineSays()


@dataclass(frozen=True, slots=True)
class SpeechSays:
    """`fresh` is false when the speech workers have not written for 5 s, or were never started."""

    fresh: bool = False
    pid: int | None = None
    model: bool = False
    ready: int = 0
    """Workers that hear."""
    streams: int = 0
    free: dict[str, int] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    second: str = "off"
    """The second ear: off · loading · ready · away."""
    second_counts: dict[str, float] = field(default_factory=dict)


def read_speech(data_dir: Path, now: datetime | None = None) -> SpeechSays:
    says = _read(data_dir / "run" / "speech.json")
    try:
        if abs((now or datetime.now(UTC)).timestamp() - float(says["at"])) > STALE_S:
            return SpeechSays()
        workers = [worker for worker in says["workers"].values() if worker["state"] == "ready"]
        counts: dict[str, float] = {}
        for worker in workers:
            for name, value in worker["counts"].items():
                counts[str(name)] = counts.get(str(name), 0.0) + float(value)
        second = says.get("second_ear") or {}
        return SpeechSays(
            True,
            _pid(says.get("pid")),
            bool(says.get("model")),
            len(workers),
            sum(int(worker["streams"]) for worker in workers),
            {kind: int(says[f"free_{kind}"]) for kind in ("urgent", "ordinary")},
            counts,
            str(second.get("state", "off")),
            {str(name): float(value) for name, value in (second.get("counts") or {}).items()},
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        return SpeechSays()


def read_parts(data_dir: Path, *, database_ok: bool) -> dict[str, Part]:
    """Every part this system has, whether or not the supervisor runs it."""
    board = _read(data_dir / "run" / "parts.json")
    says = read_engine(data_dir)
    engine, asterisk, speech = (_entry(board, name) for name in ("engine", "asterisk", "speech"))
    parts = {
        "asterisk": _judge(asterisk, says.ami_up or (asterisk.state == "ok" and _alive(asterisk.pid))),
        "engine": _judge(engine, says.fresh, says.pid),
        "speech": _speech(data_dir, speech if "speech" in board else None),
        "console": Part("ok", os.getpid()),
        "database": Part("ok" if database_ok else "down"),
    }
    if says.trunk is not None:
        parts["trunk"] = Part(says.trunk)
    return parts


def _speech(data_dir: Path, entry: Part | None) -> Part:
    """Serves when a worker hears. Neither supervised nor heard of: the system works with keys and people."""
    says = read_speech(data_dir)
    if entry is None and not says.fresh:
        return Part("not_installed")
    if says.fresh and not says.model:
        return Part("not_installed", says.pid)
    return _judge(entry or Part("down"), says.ready > 0, says.pid)


def spoils(part: Part) -> bool:
    return part.state not in ("ok", "not_installed", "second")


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
