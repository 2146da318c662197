"""The part `voice` over a real database and journal, its synthesiser a stand-in: an import is heard of and acted on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete

from ivr import voicing
from ivr.importing import import_file
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.tables import elder
from ivr.voice import renderer as rendering
from ivr.voice.library import Library
from ivr.voice.wording import name_sentence
from tests.doubles.patience import until


class Reader:
    async def __aenter__(self) -> Reader:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def say(self, text: str) -> bytes:
        return text.encode()

    async def rest(self) -> None:
        pass


def recorded(library: Library, name: str) -> bytes | None:
    return library.find(name_sentence(name) or "")


@pytest.mark.usefixtures("town")
async def test_who_is_imported_is_recorded_and_who_is_removed_is_forgotten(
    url: str, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voicing, "_synthesiser", lambda _: Reader())
    monkeypatch.setattr(rendering, "KEEP_FREE", 0)
    settings = Settings(data_dir=tmp_path / "var", database_url=url, duty_phone="")
    library = Library(settings.spoken_dir)
    part = asyncio.create_task(voicing.main(settings))
    try:
        await until(lambda: recorded(library, "赵德福"), 20)
        progress = voicing.read_progress(settings)
        assert progress is not None
        await until(lambda: (voicing.read_progress(settings) or progress).state == "idle", 20)
        for old, new in (("王秀英", "王秀花"), ("", "钱多多")):
            rows = f"elder_no,name\n{'E1' if old else 'E9'},{new}\n"
            (tmp_path / "elders.csv").write_text(rows, encoding="utf-8")
            assert (await import_file(store, "elders", tmp_path / "elders.csv")).ok
            await until(lambda new=new: recorded(library, new), 20)
        await until(lambda: recorded(library, "王秀英") is None, 20)

        await store.write(lambda tx: tx.conn.execute(delete(elder).where(elder.c.elder_no == "E9")))
        (tmp_path / "elders.csv").write_text("elder_no,name\nE8,孙小小\n", encoding="utf-8")
        assert (await import_file(store, "elders", tmp_path / "elders.csv")).ok
        await until(lambda: recorded(library, "孙小小") and recorded(library, "钱多多") is None, 20)
    finally:
        part.cancel()
        await asyncio.gather(part, return_exceptions=True)
