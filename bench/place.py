"""The real system on free ports, as the tests of calls start it, with as many elders as a small centre knows."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import SippLoad
from ivr.asterisk.portable import sipp_command
from ivr.settings import Settings
from tests.calls.harness import NoFreePorts, PortBlock
from tests.calls.system import Person, System


def elders(count: int) -> list[Person]:
    return [
        Person(f"E{n:05}", f"老人{n}", f"021{50_000_000 + n}", [f"138{n:07}1", f"139{n:07}2"]) for n in range(count)
    ]


@dataclass
class Place:
    system: System
    ports: PortBlock
    sipp: list[str]
    folder: Path

    def load(self, scenario: str, name: str, *, port: int | None = None) -> SippLoad:
        folder = self.folder / "sipp" / name
        return SippLoad(self.sipp, scenario, folder, port=port or self.ports.take(), control=self.ports.take())

    def callers_file(self) -> Path:
        """SIPp's CSV: one caller's number a line."""
        path = self.folder / "callers.csv"
        path.write_text("SEQUENTIAL\n" + "".join(f"{p.phone}\n" for p in self.system.people))
        return path

    def count(self, query: str) -> int:
        """One number from the database, read apart from the system."""
        with contextlib.closing(sqlite3.connect(self.system.folder / "yinling.db", timeout=10)) as db:
            return int(db.execute(query).fetchone()[0])

    def pid(self, part: str) -> int:
        return self.system.processes[part].pid


def _free_ports(stack: contextlib.ExitStack, rtp_ports: int) -> tuple[PortBlock, range]:
    """A block with so many neighbouring ports; one with a stranger's port in its middle is kept aside meanwhile."""
    for _ in range(4):
        ports = stack.enter_context(PortBlock(rtp_ports + 300))
        with contextlib.suppress(NoFreePorts):
            return ports, ports.take_range(rtp_ports)
    raise NoFreePorts(f"no {rtp_ports} neighbouring ports for audio")


@asynccontextmanager
async def place(
    people: int | Sequence[Person], *, rtp_ports: int, console: bool = True, **options: str
) -> AsyncIterator[Place]:
    with tempfile.TemporaryDirectory(prefix="yinling-bench-") as folder, contextlib.ExitStack() as stack:
        ports, rtp = _free_ports(stack, rtp_ports)
        options |= {"IVR_RTP_START": str(rtp.start), "IVR_RTP_END": str(rtp.stop - 1)}
        path = Path(folder)
        sipp = sipp_command(Settings())
        who = elders(people) if isinstance(people, int) else people
        system = System(path / "y", ports, who, duty_phone="", with_console=console, options=options)
        async with system:
            yield Place(system, ports, sipp, path)
