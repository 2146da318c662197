"""The demo people, in the database."""

from __future__ import annotations

from ivr.late import late
from ivr.settings import Settings
from ivr.store.db import Store


async def load(settings: Settings) -> None:
    """Idempotent: what is there already stays."""
    async with Store(settings.effective_database_url, name="demo-data") as store:
        await late("ivr.importing.demo", "load_demo")(store)
