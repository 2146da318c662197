"""The running town, asked and told through its Asterisk's CLI socket."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from ivr.asterisk.portable import AsteriskProgram, found_asterisk
from ivr.demo.render import config_of
from ivr.settings import Settings


@dataclass(frozen=True)
class Status:
    """`run/demo-network.json`, written once the town is there."""

    pid: int
    seat: str | None
    """Extension of the demo agent; None when the system has no seat."""
    ready: bool
    """The agent's telephone is registered and its seat was set ready."""


def status_path(settings: Settings) -> Path:
    return settings.data_dir.resolve() / "run" / "demo-network.json"


def write_status(settings: Settings, status: Status) -> None:
    path = status_path(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(status)))
    fresh.replace(path)


def read_status(settings: Settings) -> Status | None:
    """None when no town runs here now."""
    try:
        status = Status(**json.loads(status_path(settings).read_text()))
        os.kill(status.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return status


class Town:
    def __init__(self, settings: Settings, program: AsteriskProgram) -> None:
        self._program = program
        self._config = config_of(settings)

    @classmethod
    def of(cls, settings: Settings) -> Town | None:
        program = found_asterisk(settings)
        return cls(settings, program) if program else None

    async def cli(self, command: str) -> str | None:
        """The answer; None when there is no Asterisk to give one."""
        asking = await asyncio.create_subprocess_exec(
            *self._program.remote(self._config, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await asking.communicate()
        except asyncio.CancelledError:
            asking.kill()
            await asking.wait()
            raise
        return out.decode("utf-8", "replace") if asking.returncode == 0 else None

    async def begin(self, run: str, kind: str) -> None:
        """From now on whoever talks is recorded into `heard/RUN/`."""
        await self.cli(f"dialplan set global KIND {kind}")
        await self.cli(f"dialplan set global RUN {run}")

    async def end(self) -> None:
        for name in ("RUN", "KIND"):
            await self.cli(f'dialplan set global {name} ""')

    async def say_agent_spoke(self, run: str) -> None:
        """A person, not the demo agent, took the call: the elder may tell what he wants."""
        await self.cli(f"dialplan set global SAID_AGENT {run}")

    async def dial(self, line: str, number: str, what: str) -> None:
        """Pick up a telephone of the town, dial, and go on with `what` once it is answered."""
        await self.cli(f"channel originate PJSIP/{number}@{line} extension {what}@{line}")

    async def hung_up(self, line: str) -> bool:
        """Nobody is on this line (any more)."""
        return not await self._channels(line)

    async def hang_up(self, line: str) -> None:
        for channel in await self._channels(line):
            await self.cli(f"channel request hangup {channel}")

    async def _channels(self, line: str) -> list[str]:
        listed = await self.cli("core show channels concise") or ""
        names = [row.partition("!")[0] for row in listed.splitlines()]
        return [name for name in names if name.startswith(f"PJSIP/{line}-")]

    async def registered(self) -> bool:
        return "Registered" in (await self.cli("pjsip show registrations") or "").replace("Unregistered", "")
