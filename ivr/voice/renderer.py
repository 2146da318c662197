"""Makes the recordings that are missing, those likeliest to be needed first, and removes those nobody needs.

The database and the folder are the whole state: a run that was killed goes on where it was, and one that has nothing
to do makes nothing. Pace: it works at most half of the time, at the lowest priority.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from ivr.domain.meanings import DISTRESS
from ivr.domain.people import Person
from ivr.services.ports import Named, StoreUnavailable
from ivr.voice.library import JOINED_KEPT_S, Library, write_own
from ivr.voice.synthesiser import Unspeakable, VoiceMissing
from ivr.voice.wording import (
    access_sentence,
    address_sentence,
    heard_sentence,
    medical_sentence,
    name_sentence,
    relative_sentence,
)

log = logging.getLogger(__name__)

PAGE = 2000
SHARE = 0.5
"""Of the time spent working; the rest is left to whoever else is polite."""
LONGEST_REST_S = 10.0
LOOK_AGAIN_S = 3600.0
"""Elders may be removed by other means than an import; nobody's name is kept longer than this."""
KEEP_FREE = 1_000_000_000
PAUSE_AFTER_TROUBLE_S = 60.0


class Voice(Protocol):
    async def say(self, text: str) -> bytes: ...
    async def rest(self) -> None: ...


@dataclass
class Progress:
    """What `run/voice.json` says. Numbers only: no name."""

    state: str = "starting"
    """rendering, idle, no_voice, disk_full or no_database."""
    wanted: int = 0
    made: int = 0
    """Of those wanted, how many are recorded."""
    unspeakable: int = 0
    """Names and addresses that only the general wording can stand for."""


@dataclass
class Renderer:
    library: Library
    named: Named
    voice: Voice
    status: Path
    addresses: bool
    """The duty phone, workers and hospitals hear addresses."""
    medical: bool = False
    """A hospital hears the illnesses and whom to ring: recorded last, of those who have a device."""
    share: float = SHARE
    progress: Progress = field(default_factory=Progress)
    tell: Callable[[Progress], None] = lambda _: None
    _refused: set[str] = field(default_factory=set)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """People were imported or changed: look again now."""
        self._changed.set()

    async def run(self) -> None:
        """For ever: everything, then wait for a change."""
        while True:
            done = await self.once()
            await self.voice.rest()
            pause = LOOK_AGAIN_S if done else PAUSE_AFTER_TROUBLE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    async def once(self) -> bool:
        """Until nothing is missing; False when that could not be done (the state says why)."""
        while True:
            self._changed.clear()
            try:
                done = await self._round()
            except StoreUnavailable:
                self._say("no_database")
                return False
            if done is not None:
                return done

    async def _round(self) -> bool | None:
        """None when people changed meanwhile: somebody more urgent may have come."""
        texts = await self._wanted()
        paths = {text: self.library.path(text) for text in texts}
        there = await asyncio.to_thread(self._tidy, set(paths.values()))
        missing = [text for text, path in paths.items() if path not in there and text not in self._refused]
        self.progress.wanted, self.progress.made = len(paths), len(there)
        for text in missing:
            if self._changed.is_set():
                return None
            if not await self._make(text):
                return False
        self._say("idle")
        return True

    async def _make(self, text: str) -> bool:
        if shutil.disk_usage(self.library.folder).free < KEEP_FREE:
            self._say("disk_full")
            return False
        self._say("rendering")
        began = time.monotonic()
        try:
            audio = await self.voice.say(text)
            await asyncio.to_thread(self.library.put, text, audio)
            self.progress.made += 1
        except Unspeakable:
            self._refused.add(text)
            self.progress.unspeakable += 1
        except VoiceMissing as missing:
            log.warning("names are not recorded now: %s", missing)
            self._say("no_voice")
            return False
        except OSError as error:
            log.warning("a recording could not be written: %s", error.strerror)
            self._say("disk_full")
            return False
        worked = time.monotonic() - began
        await asyncio.sleep(min(worked * (1 / self.share - 1), LONGEST_REST_S))
        return True

    async def _wanted(self) -> list[str]:
        """Every text, the most urgent first: who has a device, who has a family; addresses and doors; the rest;
        illnesses and relatives."""
        ranks: list[dict[str, None]] = [{} for _ in range(5)]
        if self.medical:  # of nobody in particular, and few: with the first
            ranks[0] |= dict.fromkeys(map(heard_sentence, DISTRESS))
        unspeakable, after = 0, ""
        while page := await self.named.after(after, PAGE):
            for person in page:
                unspeakable += self._place(person, ranks)
            after = page[-1].elder_no
            await asyncio.sleep(0)
        self.progress.unspeakable = unspeakable + len(self._refused)
        return list(dict.fromkeys(text for rank in ranks for text in rank))

    def _place(self, person: Person, ranks: list[dict[str, None]]) -> int:
        name = name_sentence(person.name)
        if name is None:
            return 1
        ranks[0 if person.has_device else 1 if person.has_family else 3][name] = None
        if not person.has_device:
            return 0
        unspeakable = 0
        for wanted, said, there, rank in (
            (self.addresses, address_sentence(person.address), bool(person.address), 2),
            (self.addresses, access_sentence(person.access), bool(person.access), 2),
            (self.medical, medical_sentence(person.medical), bool(person.medical), 4),
            (self.medical, relative_sentence(person.relative), bool(person.relative), 4),
        ):
            if wanted and there:
                if said is None:
                    unspeakable += 1
                else:
                    ranks[rank][said] = None
        return unspeakable

    def _tidy(self, keep: set[Path]) -> set[Path]:
        """Remove what nobody needs; returns what is there."""
        if removed := self.library.prune(keep):
            log.info("%d recordings of people who are gone or renamed were removed", removed)
        self.library.drop_joined(older_than_s=JOINED_KEPT_S, keep={path.stem for path in keep})
        return {path for path in keep if path.is_file()}

    def _say(self, state: str) -> None:
        self.progress.state = state
        values = {**self.progress.__dict__, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        with contextlib.suppress(OSError):
            self.status.parent.mkdir(parents=True, exist_ok=True)
            write_own(self.status, json.dumps(values).encode())
        self.tell(self.progress)
