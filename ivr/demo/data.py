"""The demo people, in the database."""

from __future__ import annotations

from sqlalchemy import insert, select
from ulid import ULID

from ivr.demo import people
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.tables import contact, elder
from ivr.store.tx import Tx


async def load(settings: Settings) -> None:
    """Idempotent: what is there already stays."""
    async with Store(settings.effective_database_url, name="demo-data") as store:
        await store.write(_family)


def _family(tx: Tx) -> None:
    if tx.conn.scalar(select(elder.c.elder_no).where(elder.c.elder_no == people.ELDER_NO)):
        return
    tx.conn.execute(
        insert(elder).values(elder_no=people.ELDER_NO, name="王秀英", phone=people.ELDER, consent_outbound=True)
    )
    family = (("王丽", "女儿", people.DAUGHTER), ("王强", "儿子", people.SON), ("王敏", "侄女", people.NIECE))
    for priority, (name, relation, phone) in enumerate(family, 1):
        tx.conn.execute(
            insert(contact).values(
                id=str(ULID()), elder_no=people.ELDER_NO, name=name, relation=relation, phone=phone, priority=priority
            )
        )
