"""Whose turn it is to write, among the processes of one machine that share an SQLite file.

SQLite does not queue writers: who finds the file locked sleeps and tries again, and a process that writes without a
pause is seldom met between two commits. Beside an engine that did, half of the console's writes were refused after 3 s
(alarms, in a storm) and the median was 2.4 s; with this it is 29 ms, and none was refused. Two locks make it a queue
of two: who waits for the turn holds the door, so that who has just written comes after him.

A killed process leaves no lock behind; one that is stopped is not waited for longer than `PATIENCE_S`. Whoever writes
without this (an import) meets SQLite's own lock as before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import make_url

PATIENCE_S = 1.0
LOOK_EVERY_S = 0.0005


class Turn:
    """`with turn.taken(): …` in the one thread that writes. Does nothing for a database that queues by itself."""

    def __init__(self, url: str) -> None:
        parts = make_url(url)
        is_file = parts.get_backend_name() == "sqlite" and parts.database not in (None, "", ":memory:")
        self._path = parts.database if is_file else None
        self._files: tuple[int, int] | None = None

    @contextmanager
    def taken(self) -> Iterator[None]:
        files = self._open()
        if files is None:
            yield
            return
        door, turn = files
        until = time.monotonic() + PATIENCE_S
        _wait(door, until)
        _wait(turn, until)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(turn, fcntl.LOCK_UN)

    def _open(self) -> tuple[int, int] | None:
        if self._files is None and self._path is not None:
            with contextlib.suppress(OSError):  # a full disk: then it is as it was without
                door = os.open(f"{self._path}-door", os.O_RDWR | os.O_CREAT, 0o600)
                self._files = door, os.open(f"{self._path}-turn", os.O_RDWR | os.O_CREAT, 0o600)
        return self._files

    def close(self) -> None:
        files, self._files = self._files, None
        for file in files or ():
            os.close(file)


def _wait(file: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return
            select.select((), (), (), LOOK_EVERY_S)  # not time.sleep: below libfaketime (chaos) that is an error
        except OSError:  # a file system without locks
            return
        else:
            return
