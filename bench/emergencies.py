"""200 emergencies through the real system: from the caller's INVITE to the committed row, the seats, the family.

One clock (CLOCK_MONOTONIC of this machine): INVITEs are timed by the harness's exchange, which all SIP passes, the row
by an independent reader (bench/commits.py). Nothing is pinned.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bench.agents import Seat, seats
from bench.load import LOOPBACK, Silence
from bench.numbers import histogram, percentile
from bench.place import Place, place
from tests.calls.harness import CallRecord, Exchange

SEATS = 8
EVERY_S = 1.0
CLOSE_AFTER_S = 6.0
TARGETS_MS = {"committed": 500, "agent": 500, "family": 2000}


@dataclass
class Emergency:
    invited: float
    incident: str = ""
    committed: float | None = None
    answered: float | None = None
    agent: float | None = None
    family: float | None = None

    def after(self, what: str) -> float | None:
        at = getattr(self, what)
        return None if at is None else float(at - self.invited) * 1000


class Watch:
    """The independent reader, and who closes what it saw (`close_after_s` None: somebody else does)."""

    def __init__(self, at: Place, close_after_s: float | None = CLOSE_AFTER_S) -> None:
        self._at, self._close_after_s = at, close_after_s
        self.seen: dict[str, tuple[float, str]] = {}  # caller -> (monotonic, incident)
        self._closing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Watch:
        self._reader = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.commits", str(self._at.system.folder / "yinling.db"),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._reader.stdout is not None
        assert await self._reader.stdout.readline() == b"ready\n"
        self._reading = asyncio.create_task(self._read(self._reader.stdout))
        return self

    async def _read(self, lines: asyncio.StreamReader) -> None:
        async for line in lines:
            at, phone, incident = line.decode().split()
            self.seen[phone] = (float(at), incident)
            if self._close_after_s is not None:
                self._closing.add(asyncio.create_task(self._close(incident, self._close_after_s)))

    async def _close(self, incident: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        body = {"by": "bench", "outcome": "test", "reason": "measured"}
        await self._at.system.api("POST", f"/incidents/{incident}/close", body, status=200)

    async def closed(self) -> None:
        await asyncio.gather(*self._closing)

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        with contextlib.suppress(ProcessLookupError):
            self._reader.kill()
        await self._reader.wait()


async def run(*, quick: bool) -> dict[str, Any]:
    count = 10 if quick else 200
    async with place(max(count, 10), rtp_ports=600) as at:
        settings = at.system.settings
        trunk = await Exchange(settings.trunk_port, (LOOPBACK, settings.sip_port)).open()
        family = at.load("busy", "family")
        await family.start(to=(LOOPBACK, trunk.port))

        async def take(_call: CallRecord) -> int:
            return family.port

        trunk.register_default(take)
        rung = await seats(at, SEATS, "agent")
        try:
            with Silence() as rtp_port:
                async with Watch(at) as watch:
                    print(f"{count} 次紧急呼叫 · emergencies, one every {EVERY_S:g} s", flush=True)
                    failed = await _call(at, trunk, rtp_port, count)
                    await asyncio.sleep(1)
                    await watch.closed()
            left = await at.system.left_behind()
            all_of_them = _collect(at, trunk, rung, watch)
        finally:
            for seat in rung:
                await seat.close()
            await family.stop()
            await trunk.close()
    return _figures(all_of_them, failed, left, trunk)


async def _call(at: Place, trunk: Exchange, rtp_port: int, count: int) -> int:
    elders = at.load("elder", "elders")
    await elders.start(
        "-s", "12349120", "-inf", str(at.callers_file()), "-key", "port", str(trunk.port),
        "-key", "rtp_port", str(rtp_port), "-r", "1", "-rp", str(int(EVERY_S * 1000)), "-m", str(count),
        "-l", "1000", to=(LOOPBACK, trunk.port),
    )  # fmt: skip
    running = asyncio.create_task(elders.finished(count * EVERY_S + 40))
    while not running.done():
        await asyncio.wait([running], timeout=10)
        print(f"  {len(trunk.invites(from_asterisk=False))}/{count}", flush=True)
    outcome = running.result()
    return count - outcome.count("SuccessfulCall")


def _collect(at: Place, trunk: Exchange, rung: list[Seat], watch: Watch) -> list[Emergency]:
    people = {person.phone: person for person in at.system.people}
    first_ring: dict[str, float] = {}
    for invite in trunk.invites():
        first_ring.setdefault(invite.number, invite.at)
    agents = _agent_invites(at, rung)
    found = []
    for invite in trunk.invites(from_asterisk=False):
        one = Emergency(invite.at, answered=trunk.call(invite.call_id).answered_at)
        if invite.caller_id in watch.seen:
            one.committed, one.incident = watch.seen[invite.caller_id]
        one.agent = agents.get(one.incident)
        rings = [first_ring[c] for c in people[invite.caller_id].contacts if c in first_ring]
        one.family = min(rings, default=None)
        found.append(one)
    return found


def _agent_invites(at: Place, rung: list[Seat]) -> dict[str, float]:
    """Incident -> first INVITE to any seat. A seat rings for one incident at a time, so an INVITE belongs to the last
    attempt that was put on record for that seat before it."""
    offset = time.time() - time.monotonic()
    attempts: dict[str, list[tuple[float, str]]] = defaultdict(list)
    query = (
        "SELECT leg.phone, leg_attempt.dialled_at, leg.incident_id FROM leg_attempt"
        " JOIN leg ON leg.id = leg_attempt.leg_id WHERE leg.role = 'agent' ORDER BY leg_attempt.id"
    )
    with contextlib.closing(sqlite3.connect(at.system.folder / "yinling.db")) as db:
        for phone, dialled_at, incident in db.execute(query):
            when = datetime.fromisoformat(dialled_at).replace(tzinfo=UTC).timestamp() - offset
            attempts[phone].append((when, incident))
    first: dict[str, float] = {}
    for seat in rung:
        for invite in seat.line.invites():
            before = [incident for when, incident in attempts[seat.extension] if when <= invite.at]
            if before:
                first[before[-1]] = min(first.get(before[-1], invite.at), invite.at)
    return first


def _figures(found: list[Emergency], failed: int, left: list[str], trunk: Exchange) -> dict[str, Any]:
    result: dict[str, Any] = {
        "emergencies": len(found),
        "seats": SEATS,
        "every_s": EVERY_S,
        "failed_calls": failed,
        "repeated_invites": trunk.repeated_invites,
        "left_behind": left,
        "ms": {},
    }
    for what in ("committed", "answered", "agent", "family"):
        times = [ms for one in found if (ms := one.after(what)) is not None]
        result["ms"][what] = {
            **{f"p{int(share * 100)}": percentile(times, share) for share in (0.5, 0.95, 0.99)},
            "max": max(times, default=float("nan")),
            "missing": len(found) - len(times),
            "target_p95": TARGETS_MS.get(what),
            "all": [round(ms, 2) for ms in times],
        }
        print(f"INVITE → {what}", *histogram(times, "ms"), sep="\n", flush=True)
    return result
