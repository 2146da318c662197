"""The Call port: what a caller's journey may do, and the outcomes it meets. Ordinary outcomes are values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class CallerHungUp(Exception):
    """The far end is gone. The one exception of a journey; the runner handles it."""


@dataclass(frozen=True, slots=True)
class Key:
    """A digit was pressed."""

    digit: str


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nothing was pressed: silence, or a voicemail speaking to itself."""


Answer = Key | NoInput


class Call(Protocol):
    """One channel inside one AGI step. Each verb renews the lease in Asterisk before it begins."""

    @property
    def uniqueid(self) -> str: ...
    @property
    def linkedid(self) -> str: ...
    @property
    def did(self) -> str:
        """The number that was dialled."""
        ...

    @property
    def caller_id(self) -> str:
        """Normalised digits, empty when withheld."""
        ...

    async def still_ours(self) -> None:
        """After a hang (SIGSTOP, a paused machine) the lifeline may have the call already: then CallerHungUp."""
        ...

    async def answer(self) -> None:
        """Pick up. The call must be on record by now: the lifeline no longer writes it down when the caller goes."""
        ...

    async def play(self, prompt: str) -> None: ...

    async def ask(self, prompt: str, keys: str, *, within_s: float, repeats: int) -> Answer:
        """Play and wait for one of `keys`; a key ends the prompt at once."""
        ...

    async def enter_room(self, room: str, user: str) -> None:
        """Leave AGI; the dialplan puts the channel into the conference room. `user` is `elder` or `helper`."""
        ...

    async def enter_queue(self, call_id: str) -> None:
        """Leave AGI: the dialplan picks up, greets and queues. On record by now, as for `answer`."""
        ...

    async def ring_duty_phone(self, call_id: str) -> None:
        """Leave AGI; the dialplan rings the duty phone and comes back as `unanswered` when it fails."""
        ...

    async def hang_up(self) -> None:
        """Leave AGI and end the call."""
        ...
