"""A wall clock for one system, which a test can step; the machine's own is never touched.

libfaketime is loaded into every part and reads the offset from a file, at most a second old. CLOCK_MONOTONIC is the
kernel's. What differs from a real step: a wait for an absolute wall time that has begun goes on as it was.
"""

from __future__ import annotations

import os
from pathlib import Path

from ivr.asterisk.portable import faketime_library
from ivr.settings import Settings

SEEN_AFTER_S = 1.1


class StepClock:
    def __init__(self, file: Path) -> None:
        self._file = file
        self.offset_s = 0
        self.step(0)

    def step(self, seconds: int) -> None:
        """Forward, or backward when negative."""
        self.offset_s += seconds
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{self.offset_s:+d}")
        os.replace(fresh, self._file)

    def env(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(faketime_library(Settings())),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
