"""The database brought to the newest schema, or one sentence that says why not."""

from __future__ import annotations

from urllib.parse import urlsplit

from ivr.errors import StartError
from ivr.settings import Settings
from ivr.store.migrate import upgrade


def prepare_database(settings: Settings) -> None:
    """Migrate; must run outside an event loop."""
    try:
        upgrade(settings.effective_database_url)
    except Exception as error:  # every driver has errors of its own, and the reader can only act on the sentence
        where = urlsplit(settings.effective_database_url)
        place = f"{where.scheme}://{where.hostname or ''}{where.path}"  # never the password
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StartError(f"数据库 {place} 无法使用：{why}", f"database {place} cannot be used: {why}") from error
