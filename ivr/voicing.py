"""The part `voice`: joins the store, the library of recordings and the synthesiser. Calls go on without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.journal import Journal
from ivr.store.named import SqlNamed
from ivr.voice.library import Library
from ivr.voice.renderer import Progress, Renderer
from ivr.voice.synthesiser import Synthesiser, VoiceMissing, find_voice, kokoro_folder

PEOPLE_CHANGED = ("import.finished",)


async def main(settings: Settings) -> None:
    """`ivr voice`: render what is missing, again whenever people were imported."""
    async with Store(settings.effective_database_url, name="voice") as store, _synthesiser(settings) as voice:
        renderer = _renderer(settings, store, voice)
        journal = Journal(store)
        seen = await journal.last_seq()

        async def listen() -> None:
            async for batch in journal.follow(seen, besides_incidents=PEOPLE_CHANGED):
                if any(event.kind in PEOPLE_CHANGED for event in batch):
                    renderer.wake()

        async with asyncio.TaskGroup() as group:
            group.create_task(renderer.run(), name="names")
            group.create_task(listen(), name="journal")


async def render_now(settings: Settings, tell: Callable[[Progress], None]) -> bool:
    """`ivr names render`: one round at full pace, in front of whoever asked for it."""
    async with (
        Store(settings.effective_database_url, name="names") as store,
        _synthesiser(settings, polite=False) as voice,
    ):
        renderer = _renderer(settings, store, voice)
        renderer.share, renderer.tell = 1.0, tell
        return await renderer.once()


def read_progress(settings: Settings) -> Progress | None:
    """How far the part has come, as it said last; None when it never ran here."""
    try:
        said = json.loads((settings.data_dir.resolve() / "run" / "voice.json").read_text(encoding="utf-8"))
        numbers = (int(said["wanted"]), int(said["made"]), int(said["unspeakable"]))
        return Progress(str(said["state"]), *numbers)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _synthesiser(settings: Settings, *, polite: bool = True) -> Synthesiser:
    python = find_voice(settings)
    if python is None:
        raise VoiceMissing("no synthesiser on this machine")
    return Synthesiser(python, kokoro_folder(), polite=polite)


def _renderer(settings: Settings, store: Store, voice: Synthesiser) -> Renderer:
    return Renderer(
        Library(settings.spoken_dir),
        SqlNamed(store),
        voice,
        settings.data_dir.resolve() / "run" / "voice.json",
        addresses=True,
        medical=True,
    )
