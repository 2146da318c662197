"""Seats that are ready: each a line of its own at the harness's exchange and one SIPp for all its calls."""

from __future__ import annotations

from dataclasses import dataclass

from bench.load import SippLoad
from bench.place import Place
from ivr.store.db import Store
from ivr.store.users import SqlUsers
from ivr.supervisor.render import refresh_seats
from tests.calls.harness import CallRecord, Exchange, Sipp


@dataclass
class Seat:
    extension: str
    line: Exchange
    phone: SippLoad

    async def close(self) -> None:
        await self.phone.stop()
        await self.line.close()


async def seats(at: Place, count: int, scenario: str) -> list[Seat]:
    """Registered and ready; `scenario` is what each does when it rings."""
    system = at.system
    async with Store(system.settings.effective_database_url, name="bench") as store:
        users = SqlUsers(store)
        for number in range(len(system.agents), count):
            extension = f"{1001 + number}"
            system.agents[extension] = f"sip-secret-{extension}"
            await users.add(
                extension, "agent", system.agents[extension], extension=extension, sip_secret=system.agents[extension]
            )
    await refresh_seats(system.settings)
    found = [await _seat(at, extension, scenario) for extension in sorted(system.agents)[:count]]
    await system.ready(*(seat.extension for seat in found))
    return found


async def _seat(at: Place, extension: str, scenario: str) -> Seat:
    asterisk = ("127.0.0.1", at.system.settings.sip_port)
    line = await Exchange(at.ports.take(), asterisk).open()
    phone = at.load(scenario, f"seat-{extension}")
    # No two people pick up in the same instant: the next is slower by a tenth of a second.
    times = {"answer_ms": 200 + 100 * (int(extension) - 1001)}
    keys: dict[str, str | int] = {"port": line.port, "rtp_port": 9, "expires": 600, "registrar": asterisk[1]}
    given = ("-key", "port", str(line.port), "-key", "rtp_port", "9")
    await phone.start(*given, to=("127.0.0.1", line.port), times_ms=times)

    async def take(_call: CallRecord) -> int:
        return phone.port

    line.register_default(take)
    folder = at.folder / "sipp" / f"register-{extension}"
    options = ("-s", extension, "-au", extension, "-ap", at.system.agents[extension])
    register = await Sipp.start(
        at.sipp, "register", ("127.0.0.1", line.port), folder, at.ports, keys=keys, options=options
    )
    try:
        await register.finished(10)
    finally:
        await register.kill()
    return Seat(extension, line, phone)
