"""The demo town of `ivr run --demo`: invented people in numbers that belong to nobody (sql/demo)."""

from __future__ import annotations

from sqlalchemy import select

from ivr.errors import SetupError
from ivr.importing.importer import KINDS, import_file
from ivr.settings import PROJECT_ROOT
from ivr.store.db import Store
from ivr.store.tables import elder, hospital

DEMO_DIR = PROJECT_ROOT / "sql" / "demo"
FIRST_ELDER = "E0001"
LAST_LOADED = "示例中心医院"  # hospitals come last: with this one there, all of them are


async def load_demo(store: Store) -> bool:
    """Load what is not there yet; False when the demo town was loaded before (changes made to it are kept).

    Raises:
        SetupError: a file of the demo data is wrong.
        StoreUnavailable: the database refused.
    """
    async with store.read() as conn:
        people = await conn.scalar(select(elder.c.elder_no).where(elder.c.elder_no == FIRST_ELDER))
        places = await conn.scalar(select(hospital.c.name).where(hospital.c.name == LAST_LOADED))
    if people and places:
        return False
    for kind in KINDS:
        report = await import_file(store, kind, DEMO_DIR / f"{kind}.csv")
        if not report.ok:
            raise SetupError(f"演示数据有错：{report}", f"the demo data is wrong: {kind}.csv")
    return True
