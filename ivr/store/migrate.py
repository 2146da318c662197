"""Brings a database to the newest schema; runs before anything else touches it."""

from __future__ import annotations

from alembic import command
from alembic.config import Config

from ivr.settings import PROJECT_ROOT


def alembic_config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(PROJECT_ROOT / "sql"))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Apply every missing migration. Must run outside an event loop.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is not there or refuses.
    """
    command.upgrade(alembic_config(url), "head")
