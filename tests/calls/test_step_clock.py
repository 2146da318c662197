"""The clock that tests step, itself: what waits below it goes on waiting as with a real clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivr.store.turn import Turn
from tests.calls.chaos.clock import StepClock

HELD_S = 1.0
WAITS = """
import sys, time
from ivr.store.turn import Turn
print("ready", flush=True)
sys.stdin.readline()
with Turn(sys.argv[1]).taken():
    print("mine", flush=True)
"""


@pytest.mark.parametrize("offset_s", [0, -3600, 3600])
def test_a_writer_waits_for_his_turn_below_it(tmp_path: Path, offset_s: int) -> None:
    """An error of libfaketime's in `time.sleep` made every commit that met another process's fail."""
    clock, url = StepClock(tmp_path / "clock"), f"sqlite+aiosqlite:///{tmp_path}/x.db"
    clock.step(offset_s)
    with subprocess.Popen(
        [sys.executable, "-c", WAITS, url],
        env={**os.environ, **clock.env()}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as waits:  # fmt: skip
        assert waits.stdin is not None
        assert waits.stdout is not None
        assert waits.stdout.readline() == "ready\n"
        with Turn(url).taken():
            waits.stdin.write("go\n")
            waits.stdin.flush()
            time.sleep(HELD_S)
            held_until = time.monotonic()
        assert waits.stdout.readline() == "mine\n"
        assert time.monotonic() - held_until < 5
        assert waits.wait(5) == 0
