"""The writing turn of several processes: nobody is passed over, and nobody is waited for without end."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from ivr.store import turn
from ivr.store.turn import Turn


def url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/yinling.db"


def test_who_writes_without_a_pause_lets_the_other_in_after_each_commit(tmp_path: Path) -> None:
    written, over = 0, threading.Event()

    def without_a_pause() -> None:
        nonlocal written
        mine = Turn(url(tmp_path))
        while not over.is_set():
            with mine.taken():
                time.sleep(0.003)
                written += 1
        mine.close()

    busy = threading.Thread(target=without_a_pause)
    busy.start()
    other, passed_over = Turn(url(tmp_path)), []
    try:
        for _ in range(20):
            before = written
            with other.taken():
                passed_over.append(written - before)
            time.sleep(0.002)
    finally:
        over.set()
        busy.join()
        other.close()
    assert max(passed_over) <= 2, passed_over
    assert written >= 10, "and it went on writing"


@pytest.mark.parametrize("held", ["door", "turn"])
def test_one_that_is_stopped_in_mid_turn_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr(turn, "PATIENCE_S", 0.2)
    stopped = os.open(f"{tmp_path}/yinling.db-{held}", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(stopped, fcntl.LOCK_EX)
    mine = Turn(url(tmp_path))
    began = time.monotonic()
    with mine.taken():
        assert 0.15 < time.monotonic() - began < 0.8
    os.close(stopped)  # as a kill does
    began = time.monotonic()
    with mine.taken():
        assert time.monotonic() - began < 0.1
    mine.close()


def test_a_database_that_queues_by_itself_needs_none(tmp_path: Path) -> None:
    for one in ("postgresql+psycopg://somebody@/yinling", "sqlite+aiosqlite://"):
        with Turn(one).taken():
            pass
    assert list(tmp_path.iterdir()) == []
