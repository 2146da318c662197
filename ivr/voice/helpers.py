"""What workers and hospitals hear about an elder: our words with his name, address and the rest of the package, as far
as recorded.

As in `calls.py` nothing waits for synthesis, and whatever is missing or slow, the answer is the general wording.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from ivr.domain.people import Person
from ivr.prompts.alaw import RATE, SILENCE
from ivr.prompts.install import own_recordings
from ivr.services.ports import Named
from ivr.voice.calls import BREATH_S, LONGEST_S, Piece
from ivr.voice.library import Library
from ivr.voice.wording import (
    access_sentence,
    address_sentence,
    heard_sentence,
    medical_sentence,
    name_sentence,
    relative_sentence,
)

log = logging.getLogger(__name__)

WORKER, WORKER_SAY, HOSPITAL = "worker/alarm", "worker/alarm_say", "hospital/ask_centre"


class SpokenForHelpers:
    """Implements the `SpokenHelpers` port."""

    def __init__(self, library: Library, sounds: Path, named: Named) -> None:
        self._library = library
        self._sounds = sounds
        self._named = named

    async def worker_alarm(self, incident_id: str, *, speech: bool = False) -> str:
        """Who, where to go and how to get in; then the keys."""
        ending = "worker/choose_say" if speech else "worker/choose"
        return await self._ready(incident_id, WORKER_SAY if speech else WORKER, "worker/opening", ending, medical=False)

    async def hospital_details(self, incident_id: str) -> str:
        """All of the package that is recorded: who, where, how to get in, illnesses and medicines, what he has said,
        whom to ring; then the keys."""
        return await self._ready(incident_id, HOSPITAL, "hospital/about", "hospital/choose", medical=True)

    async def _ready(self, incident_id: str, general: str, opening: str, ending: str, *, medical: bool) -> str:
        try:
            async with asyncio.timeout(LONGEST_S):
                person = await self._named.of_incident(incident_id)
                if person is None:
                    return general
                joined = await asyncio.to_thread(self._join, person, general, opening, ending, medical)
                return joined or general
        except Exception as exc:  # a name is never worth a call
            log.warning("an elder's details could not be laid ready: %s", type(exc).__name__)
            return general

    def _join(self, person: Person, general: str, opening: str, ending: str, medical: bool) -> str | None:
        name = name_sentence(person.name)
        voice = self._library.find(name) if name else None
        if name is None or voice is None or general in own_recordings(self._sounds):
            return None  # a centre that recorded the general wording itself wants its own voice heard
        more = [address_sentence(person.address), access_sentence(person.access)]
        if medical:
            more += [
                medical_sentence(person.medical),
                *map(heard_sentence, person.heard),
                relative_sentence(person.relative),
            ]
        there = [(text, audio) for text in more if text and (audio := self._library.find(text))]
        parts: Sequence[Piece] = [opening, voice, *(audio for _, audio in there), ending]
        breath = bytes([SILENCE]) * round(BREATH_S * RATE)
        audio = breath.join(part if isinstance(part, bytes) else self._prompt(part) for part in parts)
        # Two people of one name live in two places: what else is said is part of the file's name.
        stems = [self._library.path(text).stem for text in (name, *(text for text, _ in there))]
        return str(self._library.keep_joined("-".join([*stems, general.replace("/", "-")]), audio))

    def _prompt(self, prompt: str) -> bytes:
        return (self._sounds / f"{prompt}.alaw").read_bytes()
