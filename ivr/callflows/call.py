"""The Call port: what a caller's journey may do, and the outcomes it meets. Ordinary outcomes are values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class CallerHungUp(Exception):
    """The far end is gone. The one exception of a journey; the runner handles it."""


INTERRUPTED = "D"
"""A key that telephones do not have: `Telephony.interrupt` presses it. A flow that knows what it may mean expects it,
and looks at the record: who has such a telephone, and presses it, learns nothing."""


@dataclass(frozen=True, slots=True)
class Key:
    """A digit was pressed."""

    digit: str


@dataclass(frozen=True, slots=True)
class Said:
    """Something of the grammar was said. `meaning` is its id, never the caller's own words; `score` 0 to 100."""

    meaning: str
    score: int = 100

    @property
    def is_distress(self) -> bool:
        return self.meaning.startswith("distress.")


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nothing was pressed or said: silence, or noise."""


@dataclass(frozen=True, slots=True)
class NoMatch:
    """Somebody or something spoke, and it was none of the grammar's phrases: nobody is asked a third time."""


Answer = Key | Said | NoInput | NoMatch


@dataclass(frozen=True, slots=True)
class Expect:
    """What a question may be answered with: keys, and the grammar by its name (none: keys only)."""

    keys: str
    grammar: str | None = None
    by_ear_only: bool = False
    """Asked of a caller who is to speak: without a recogniser (any more) he is not asked, and it is NoInput at once."""


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

    @property
    def hears(self) -> bool:
        """Whether an answer by voice would be understood now: then a question says so."""
        ...

    async def still_ours(self) -> None:
        """After a hang (SIGSTOP, a paused machine) the lifeline may have the call already: then CallerHungUp."""
        ...

    async def answer(self) -> None:
        """Pick up. The call must be on record by now: the lifeline no longer writes it down when the caller goes."""
        ...

    async def play(self, prompt: str) -> None: ...

    async def ask(self, prompt: str, expect: Expect, *, within_s: float, repeats: int) -> Answer:
        """Play and wait for a key or a word; either ends the prompt at once.

        Without a recogniser, or when none is free, keys only. Distress is in every grammar: a flow must look for it.
        After the second failure to understand it is NoMatch, whatever `repeats` says; failures are counted over all
        questions of this call. A flow then leads to a person. One that we dialled cannot: a machine may have answered,
        and is asked once more by keys alone (`dialled.py`), then it is no acceptance and the search goes on.
        """
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

    async def enter_lifeline(self) -> None:
        """Leave AGI, after a cry for help that could not be put on record: Asterisk alone writes it down as an
        emergency, speaks, and rings the duty phone."""
        ...

    async def hang_up(self) -> None:
        """Leave AGI and end the call."""
        ...
