"""`ivr audit`: exit 0 only when all is whole; what it prints is ids and numbers, never people."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

from ivr.cli import main
from ivr.record import anchors
from ivr.settings import Settings
from ivr.store.db import Store
from ivr.store.migrate import upgrade
from ivr.store.tables import elder
from tests.doubles.recorded_incident import recorded_incident


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A data folder with two recorded incidents."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IVR_DATA_DIR", str(tmp_path / "data"))
    settings = Settings()
    settings.data_dir.mkdir()
    upgrade(settings.effective_database_url)

    async def fill() -> None:
        async with Store(settings.effective_database_url) as store:
            await store.write(
                lambda tx: tx.conn.execute(elder.insert().values(elder_no="E001", name="王秀英", consent_outbound=True))
            )
            await recorded_incident(store, settings.recordings_dir)

    asyncio.run(fill())
    return settings


def _tamper(settings: Settings, statement: str) -> None:
    with sqlite3.connect(settings.data_dir / "yinling.db") as db:
        db.execute(statement)


def test_whole_then_broken(centre: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify"]) == 0
    assert "1 incidents" in capsys.readouterr().out
    _tamper(centre, "DELETE FROM event WHERE seq = 4")
    assert main(["audit", "verify"]) == 1
    out = capsys.readouterr().out
    assert "seq 5: 此行之前有记录缺失 · rows are missing before this one" in out
    for private in ("王秀英", "13900000012", "02155550001", "李娜"):
        assert private not in out


def test_an_anchor_is_kept_and_held_against(
    centre: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "anchor.jsonl"
    assert main(["audit", "anchor", "--to", str(file)]) == 0
    digest = capsys.readouterr().out.strip()
    assert anchors.read(file.read_bytes()).digest == digest
    assert main(["audit", "verify", "--anchors", str(file)]) == 0
    assert digest in capsys.readouterr().err
    kept = file.read_bytes()
    assert main(["audit", "anchor", "--to", str(file)]) == 1, "never over an older one"
    assert file.read_bytes() == kept
    _tamper(centre, "DELETE FROM recording")
    _tamper(centre, "DELETE FROM alarm")
    _tamper(centre, "DELETE FROM leg_attempt")
    _tamper(centre, "DELETE FROM leg")
    _tamper(centre, "DELETE FROM event WHERE incident_id IS NOT NULL")
    _tamper(centre, "DELETE FROM incident")
    assert main(["audit", "verify"]) == 0, "nothing is left that could tell"
    assert main(["audit", "verify", "--anchors", str(file)]) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"events": ', '"events": 1'),
        lambda text: "",
        lambda text: text.splitlines()[0],
        lambda text: "\x00\xff not json",
        lambda text: json.dumps([1]) + "\n" + json.dumps({"sha256": "0" * 64}),
    ],
)
def test_an_anchor_file_that_was_spoilt_is_refused(
    centre: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: object
) -> None:
    file = tmp_path / "anchor.jsonl"
    assert main(["audit", "anchor", "--to", str(file)]) == 0
    file.write_text(spoil(file.read_text()))  # type: ignore[operator]
    assert main(["audit", "verify", "--anchors", str(file)]) == 1
    assert "anchor file" in capsys.readouterr().err


def test_unknown_incidents_and_a_missing_database_are_no_success(
    centre: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "verify", "01HZZZZZZZZZZZZZZZZZZZZZZZ"]) == 1
    assert main(["audit", "export", "01HZZZZZZZZZZZZZZZZZZZZZZZ", "--to", str(tmp_path / "x.zip")]) == 1
    assert not (tmp_path / "x.zip").exists()
    monkeypatch.setenv("IVR_DATA_DIR", str(tmp_path / "elsewhere"))
    assert main(["audit", "verify"]) == 1
    assert "Traceback" not in capsys.readouterr().err
