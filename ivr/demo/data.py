"""The demo people, in the database."""

from __future__ import annotations

from ivr.importing.demo import load_demo
from ivr.settings import Settings
from ivr.store.db import Store


async def load(settings: Settings) -> None:
    """Idempotent: what is there already stays."""
    async with Store(settings.effective_database_url, name="demo-data") as store:
        await load_demo(store)
