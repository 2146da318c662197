"""What was measured on: processors, memory, disk, versions, and how busy everybody else kept it."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.numbers import percentile
from ivr.asterisk.portable import asterisk_command, sipp_command
from ivr.settings import PROJECT_ROOT, Settings


def describe() -> dict[str, Any]:
    settings = Settings()
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _said("git", "-C", str(PROJECT_ROOT), "describe", "--always", "--dirty"),
        "cpu": _line("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_mb": int(_line("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "asterisk": ".".join(map(str, asterisk_command(settings).version)),
        "sipp": next((w for w in _said(*sipp_command(settings), "-v").split() if w.startswith("v3")), "?"),
        "fdatasync_ms": _disk(),
        "load": os.getloadavg(),
    }


def _disk(writes: int = 100) -> dict[str, float]:
    """How long one durable append takes where the measured systems live."""
    times = []
    with tempfile.NamedTemporaryFile(prefix="yinling-bench-", buffering=0) as file:
        for _ in range(writes):
            file.write(b"x" * 4096)
            began = time.monotonic()
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - began) * 1000)
    return {"p50": percentile(times, 0.5), "p99": percentile(times, 0.99)}


def _line(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "?"


def _said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip()
