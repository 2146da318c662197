"""The parts of this system in the order of their start. The one place to add a part."""

from __future__ import annotations

import sys
from pathlib import Path

from ivr.asterisk.portable import AsteriskProgram
from ivr.settings import Settings
from ivr.speech.models import find_model
from ivr.supervisor.probes import command_succeeds, connect_host, http_answers, port_accepts, process_wrote
from ivr.supervisor.spec import PartSpec
from ivr.voice.synthesiser import find_voice

SPEECH_HANG_S = 4.0


def build_parts(settings: Settings, program: AsteriskProgram, config: Path, *, demo: bool) -> list[PartSpec]:
    """Children read the same settings as we did: they inherit environment and working directory.

    Engine and console find Asterisk by themselves, whenever it comes: they need not wait for it.
    """
    parts = [asterisk(settings, program, config), engine(settings)]
    if find_model(settings) is not None:  # without one the system works with keys and people, and doctor says so
        parts.append(speech(settings))
    parts.append(console(settings))
    if find_voice(settings) is not None:
        parts.append(voice())
    return [*parts, demo_network(settings)] if demo else parts


def asterisk(settings: Settings, program: AsteriskProgram, config: Path) -> PartSpec:
    async def ready() -> None:
        await command_succeeds(program.remote(config, "core waitfullybooted"))
        await port_accepts("127.0.0.1", settings.ami_port)

    return PartSpec(
        "asterisk",
        program.serve(config),
        ready=ready,
        stop_command=program.remote(config, "core stop now"),
        stop_timeout_s=10.0,
    )


def engine(settings: Settings) -> PartSpec:
    async def ready() -> None:
        await port_accepts("127.0.0.1", settings.agi_port)

    return PartSpec("engine", _ivr("engine"), ready=ready, heartbeat=True, waits=False)


def speech(settings: Settings) -> PartSpec:
    """Ready when its address is taken: calls need not wait for a model, they have keys."""

    async def ready() -> None:
        await port_accepts("127.0.0.1", settings.speech_port)

    # When the pool and its workers are all stopped, calls that end wait for it: it is given less time than the engine.
    return PartSpec("speech", _ivr("speech"), ready=ready, heartbeat=True, waits=False, hang_s=SPEECH_HANG_S)


def console(settings: Settings) -> PartSpec:
    async def ready() -> None:
        await http_answers(connect_host(settings.bind_host), settings.http_port, "/api/v1/health")

    return PartSpec("console", _ivr("console"), ready=ready, heartbeat=True, waits=False)


def voice() -> PartSpec:
    """Elders' names as sound, where there is a synthesiser; no call waits for it."""
    return PartSpec("voice", _ivr("voice"), heartbeat=True, waits=False)


def demo_network(settings: Settings) -> PartSpec:
    """Stand-in for the telephone network; ready when its agent sits at the telephone."""

    async def ready() -> None:
        await process_wrote(settings.data_dir / "run" / "demo-network.json")

    return PartSpec("demo-network", _ivr("demo-network"), ready=ready, heartbeat=True, waits=False)


def _ivr(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "ivr.cli", *arguments]
