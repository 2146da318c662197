"""Alembic's entry: runs the migrations on whichever database the settings name.

One transaction with the writing turn from its start: a migration killed half-way leaves nothing behind (SQLite too),
and two processes that start together do not both migrate.
"""

from __future__ import annotations

from alembic import context

from ivr.store import dialects
from ivr.store.db import sync_engine
from ivr.store.tables import metadata

url = context.config.get_main_option("sqlalchemy.url")
assert url
engine = sync_engine(url, "BEGIN IMMEDIATE")
with engine.connect() as connection:
    dialects.before_migration(connection)
    with connection.begin():
        dialects.be_patient(connection)
        dialects.take_turn(connection)
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
engine.dispose()
