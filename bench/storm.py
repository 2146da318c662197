"""A storm of centre-notes §1.3: 2,050 alarms by HTTP in five minutes, fifteen seats that ring and do not answer.

Elders' phones are SIPp: one in two picks up and hangs up without a word, the other is engaged; relatives are engaged.
One screen is open. What is measured: the acknowledgement of each alarm, the lines held at once, processor, lag of the
screen, size of the database; then half a minute more with everything still open.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sqlite3
import time
from typing import Any

import aiohttp

from bench import proc
from bench.agents import seats
from bench.load import LOOPBACK
from bench.numbers import percentile
from bench.place import Place, place
from tests.calls.harness import CallRecord, Exchange
from tests.calls.system import ADMIN_PASSWORD

ALARMS = 2050
WITHIN_S = 300.0
SEATS = 15
AFTERWARDS_S = 30.0
AT_ONCE = 50
PARTS = ("engine", "console", "asterisk")


async def run(*, quick: bool, count: int | None = None) -> dict[str, Any]:
    """`count`: fewer alarms at the same rate."""
    alarms, within_s = (60, 15.0) if quick else (count or ALARMS, (count or ALARMS) * WITHIN_S / ALARMS)
    async with place(alarms, rtp_ports=600) as at:
        settings = at.system.settings
        trunk = await Exchange(settings.trunk_port, (LOOPBACK, settings.sip_port)).open()
        busy, wordless = at.load("busy", "busy"), at.load("agent", "wordless")
        await busy.start(to=(LOOPBACK, trunk.port))
        keys = ("-key", "port", str(trunk.port), "-key", "rtp_port", "9")
        await wordless.start(*keys, to=(LOOPBACK, trunk.port), times_ms={"answer_ms": 1500})
        answers = {person.phone for person in at.system.people[::2]}

        async def take(call: CallRecord) -> int:
            return wordless.port if call.invite.number in answers else busy.port

        trunk.register_default(take)
        rung = await seats(at, SEATS if not quick else 3, "rings")
        try:
            async with _screen(at):
                asked = asyncio.create_task(_asked(at))
                before, began = _cpu(at), time.monotonic()
                print(f"{alarms} 起报警 · alarms in {within_s:g} s", flush=True)
                times, refused = await _alarms(at, alarms, within_s)
                storm_s, storm_cpu = time.monotonic() - began, _spent(before, _cpu(at))
                counts = await at.system.api("GET", "/storm", status=200)
                before, began = _cpu(at), time.monotonic()
                await asyncio.sleep(AFTERWARDS_S if not quick else 5)
                after_s, after_cpu = time.monotonic() - began, _spent(before, _cpu(at))
                later = await at.system.api("GET", "/storm", status=200)
                asked.cancel()
                await asyncio.gather(asked, return_exceptions=True)
                lag = await _lag(at)
            one_page = await _page_ms(at)
            size = sum(f.stat().st_size for f in at.system.folder.glob("yinling.db*"))
            result = {
                "alarms": alarms,
                "within_s": storm_s,
                "refused": refused,
                "journalled": at.count("SELECT count(*) FROM alarm"),
                "incidents": at.count("SELECT count(*) FROM incident"),
                "events": at.count("SELECT count(*) FROM event"),
                "ms": {f"p{int(s * 100)}": percentile(times, s) for s in (0.5, 0.95, 0.99)} | {"max": max(times)},
                "lines_at_once": trunk.most_at_once(),
                "first_asked_s": _first_asked(at),
                "asked_calls": at.count("SELECT coalesce(sum(triage_tries), 0) FROM incident"),
                "cpu_share": {name: ms / 1000 / storm_s for name, ms in storm_cpu.items()},
                "cpu_share_after": {name: ms / 1000 / after_s for name, ms in after_cpu.items()},
                "counts": counts,
                "counts_after": later,
                "screen_lag": lag,
                "list_page_ms": one_page,
                "database_mb": size / 1e6,
            }
        finally:
            for name in ("engine", "asterisk"):  # what is open would rightly go on dialling
                with contextlib.suppress(KeyError):
                    await at.system.kill(name)
            for seat in rung:
                await seat.close()
            await busy.stop()
            await wordless.stop()
            await trunk.close()
    for key, value in result.items():
        print(f"  {key:18}{value}")
    return result


async def _asked(at: Place) -> None:
    """How it goes, every ten seconds: how many were asked so far."""
    while True:
        await asyncio.sleep(10)
        counts = await at.system.api("GET", "/storm", status=200)
        print(f"  {counts}", flush=True)


def _first_asked(at: Place) -> dict[str, float]:
    """From the opening of an incident to the first call that asks its elder."""
    query = (
        "SELECT (julianday(min(leg_attempt.dialled_at)) - julianday(incident.opened_at)) * 86400 FROM incident"
        " JOIN leg ON leg.incident_id = incident.id AND leg.role = 'elder'"
        " JOIN leg_attempt ON leg_attempt.leg_id = leg.id GROUP BY incident.id"
    )
    with contextlib.closing(sqlite3.connect(at.system.folder / "yinling.db", timeout=10)) as db:
        waits = [row[0] for row in db.execute(query)]
    return {f"p{int(s * 100)}": percentile(waits, s) for s in (0.5, 0.95, 0.99, 1.0)} | {"asked": len(waits)}


async def _alarms(at: Place, count: int, within_s: float) -> tuple[list[float], int]:
    """Milliseconds from sending to the acknowledgement, each alarm at its own time whatever the others take."""
    headers = {"Authorization": f"Bearer {at.system.token}"}
    times: list[float] = []
    refused = 0
    began = time.monotonic()
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:

        async def one(number: int) -> None:
            nonlocal refused
            await asyncio.sleep(max(0.0, began + number * within_s / count - time.monotonic()))
            person = at.system.people[number]
            body = {"source": "pendant", "kind": "press", "elder_no": person.elder_no, "idempotency_key": f"b{number}"}
            sent = time.monotonic()
            async with http.post(at.system.url("/alarms"), json=body) as reply:
                await reply.read()
                refused += reply.status != 201
            times.append((time.monotonic() - sent) * 1000)

        await asyncio.gather(*(one(number) for number in range(count)))
    return times, refused


@contextlib.asynccontextmanager
async def _screen(at: Place) -> Any:
    """A supervisor's desk, open and read."""
    base = f"http://127.0.0.1:{at.system.settings.http_port}"
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=None)) as http:
        async with http.get(f"{base}/login") as page:
            csrf = (await page.text()).split('name="csrf" value="')[1].split('"')[0]
        form = {"name": "admin", "password": ADMIN_PASSWORD, "csrf": csrf}
        async with http.post(f"{base}/login", data=form) as reply:
            assert reply.status == 200, reply.status

        async def read() -> None:
            async with http.get(f"{base}/stream") as stream:
                assert stream.status == 200
                async for _ in stream.content.iter_any():
                    pass

        reading = asyncio.create_task(read())
        try:
            yield
        finally:
            assert not reading.done(), "the screen was cut off"
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _lag(at: Place) -> dict[str, float]:
    """Of all rounds of the screens: how many were behind by at most so many seconds, and rendering's mean."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{at.system.settings.http_port}/metrics") as reply,
    ):
        text = await reply.text()
    found = {
        f"<= {bound} s": float(value)
        for bound, value in re.findall(r'yinling_console_delay_seconds_bucket{le="([^"]+)"} (\S+)', text)
    }
    for name in ("yinling_console_render_seconds_sum", "yinling_console_render_seconds_count"):
        if match := re.search(rf"^{name} (\S+)", text, re.MULTILINE):
            found[name.removeprefix("yinling_console_")] = float(match[1])
    return found


async def _page_ms(at: Place) -> float:
    began = time.monotonic()
    await at.system.api("GET", "/incidents?state=open&limit=50", status=200)
    return (time.monotonic() - began) * 1000


def _cpu(at: Place) -> dict[str, float]:
    return {part: proc.cpu_ms(at.pid(part)) for part in PARTS}


def _spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    return {part: after[part] - before[part] for part in before}
