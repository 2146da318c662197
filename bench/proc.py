"""What /proc says of a process: deltas and sums, never the lifetime averages of ps."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def cpu_ms(pid: int) -> float:
    """User and system time of all threads, also those that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_MS


def memory_kb(pid: int) -> tuple[int, int]:
    """(RSS, PSS): PSS shares a page among the processes that map it, so it may be added up."""
    found = {"Rss": 0, "Pss": 0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0])
    return found["Rss"], found["Pss"]


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def family(pid: int) -> list[int]:
    """This process and all below it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def name(pid: int) -> str:
    """`asterisk`, `ivr engine`, …: what a reader would call it."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    if any(word.endswith("/sbin/asterisk") for word in words):
        return "asterisk"
    if "ivr.cli" in words:
        return "ivr " + words[words.index("ivr.cli") + 1]
    return words[0]


@contextmanager
def on_cpus(cpus: Iterable[int]) -> Iterator[None]:
    """Processes started inside stay on these processors (taskset); we ourselves come back."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allowed_cpus(pid: int) -> set[int]:
    """Of all its threads together."""
    return {cpu for task in os.listdir(f"/proc/{pid}/task") for cpu in os.sched_getaffinity(int(task))}
