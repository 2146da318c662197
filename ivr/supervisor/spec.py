"""What the supervisor must know about one part."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field


async def at_once() -> None:
    """Ready as soon as it runs (and, with a heartbeat, as soon as it beats)."""


@dataclass(frozen=True)
class PartSpec:
    """One child process, told from outside: how to start, recognise as ready, and stop it."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    """Added to the supervisor's own environment."""
    ready: Callable[[], Awaitable[None]] = at_once
    """Returns when the part serves; asked anew after each start."""
    ready_timeout_s: float = 60.0
    """A part that is not ready by then counts as hung."""
    stop_command: Sequence[str] | None = None
    """Asked for politely before the signal (Asterisk: `core stop now`)."""
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 5.0
    heartbeat: bool = False
    hang_s: float | None = None
    """Killed when its last heartbeat is older; None: the supervisor's own measure (setting engine_hang_s)."""
    waits: bool = True
    """Start only when all parts before are ready; else at the same time as the part before, to save seconds."""
