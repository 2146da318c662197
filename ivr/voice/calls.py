"""What a call plays when it is about somebody: our words and his name, joined in one file, or the general wording.

Nothing here waits for synthesis. Whatever is missing or slow, the answer is the general prompt.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ivr.prompts.alaw import RATE, SILENCE
from ivr.prompts.install import own_recordings
from ivr.services.ports import Named
from ivr.voice.library import Library
from ivr.voice.wording import address_sentence, name_sentence

log = logging.getLogger(__name__)

LONGEST_S = 0.5
"""Looking up, reading and joining took 4 ms on a busy machine; a disk that hangs must not keep a family waiting."""
BREATH_S = 0.4
"""Between two pieces, beside the 0.2 s of silence that each brings: as between the sentences of one prompt."""

Piece = str | bytes
"""A prompt of ours, or a recording."""
Pieces = Callable[[bytes, bytes | None], list[Piece]]
"""Name and address as sound -> what is said."""

FAMILY, FAMILY_SAY, DUTY = "family/alarm", "family/alarm_say", "duty/emergency"


class SpokenNames:
    """Implements the `Spoken` port. `sounds` is where this instance's Asterisk finds its prompts."""

    def __init__(self, library: Library, sounds: Path, named: Named) -> None:
        self._library = library
        self._sounds = sounds
        self._named = named

    async def family_alarm(self, incident_id: str, *, speech: bool = False) -> str:
        """The prompt that asks a relative: with the elder's name where it is recorded."""
        general = FAMILY_SAY if speech else FAMILY
        ending = "family/choose_say" if speech else "family/choose"
        return await self._ready(general, incident_id, lambda name, _: ["family/opening", name, ending])

    async def duty_alarm(self, incident_id: str) -> str:
        """The prompt that asks the duty phone, which has no screen: with name and address where they are recorded."""

        def pieces(name: bytes, address: bytes | None) -> list[Piece]:
            return ["duty/opening", name, *([address] if address else []), "duty/press_one"]

        return await self._ready(DUTY, incident_id, pieces)

    async def _ready(self, general: str, incident_id: str, pieces: Pieces) -> str:
        try:
            async with asyncio.timeout(LONGEST_S):
                person = await self._named.of_incident(incident_id)
                if person is None:
                    return general
                return await asyncio.to_thread(self._join, general, person.name, person.address, pieces) or general
        except Exception as exc:  # a name is never worth a call
            log.warning("a name could not be laid ready, the general wording is used: %s", type(exc).__name__)
            return general

    def _join(self, general: str, name: str, address: str | None, pieces: Pieces) -> str | None:
        said = name_sentence(name)
        voice = self._library.find(said) if said else None
        if said is None or voice is None or general in own_recordings(self._sounds):
            return None  # a centre that recorded the general wording itself wants its own voice heard
        where = address_sentence(address)
        parts = pieces(voice, self._library.find(where) if where else None)
        breath = bytes([SILENCE]) * round(BREATH_S * RATE)
        audio = breath.join(part if isinstance(part, bytes) else self._prompt(part) for part in parts)
        return str(self._library.keep_joined(f"{self._library.path(said).stem}-{general.replace('/', '-')}", audio))

    def _prompt(self, prompt: str) -> bytes:
        return (self._sounds / f"{prompt}.alaw").read_bytes()
