"""`ivr doctor`: each check says what is wrong, in both languages, and only ✗ blocks."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from ivr import doctor
from ivr.doctor import BLOCK, OK, WARNING, Finding, examine, report
from ivr.engine import tell_of_speech
from ivr.settings import Settings
from ivr.speech import models, second_keeper
from ivr.speech.status import path_in, write_status
from ivr.supervisor import preflight


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    ports: dict[str, Any] = {}
    for name in ("http_port", "sip_port", "ami_port", "agi_port", "rtp_start"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports[name] = free.getsockname()[1]
    return Settings(data_dir=tmp_path / "var", tools_dir=tmp_path / "tools", duty_phone="13800000000", **ports)


def changed(settings: Settings, **update: Any) -> Settings:
    return Settings(**{**settings.model_dump(), **update})


def only(check: Any, settings: Settings) -> list[Finding]:
    return list(check(settings))


def test_every_finding_speaks_both_languages(settings: Settings) -> None:
    findings = examine(settings)
    assert len(findings) >= len(doctor.CHECKS)
    for finding in findings:
        assert finding.mark in (OK, WARNING, BLOCK)
        assert finding.zh
        assert finding.en.isascii() or "≥" in finding.en


def test_a_named_asterisk_that_is_not_there_blocks(settings: Settings) -> None:
    [finding] = only(doctor._asterisk, changed(settings, asterisk_binary="/no/asterisk"))
    assert finding.blocks
    assert "/no/asterisk" in finding.en


def test_no_asterisk_is_only_a_warning_where_it_can_be_fetched(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    monkeypatch.setenv("PATH", str(bin_dir))
    monkeypatch.setattr(shutil, "which", lambda name, path=None: "/x/" + name if "asterisk" not in name else None)
    assert [f.mark for f in only(doctor._asterisk, settings)] == [WARNING]
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    assert [f.mark for f in only(doctor._asterisk, settings)] == [BLOCK]


def test_a_port_in_use_blocks(settings: Settings) -> None:
    assert [f.mark for f in only(doctor._ports, settings)] == [OK]
    with socket.create_server(("127.0.0.1", settings.ami_port)):
        [finding] = only(doctor._ports, settings)
    assert finding.blocks
    assert "ami_port" in finding.en


def test_ports_held_by_our_own_instance_are_fine_but_a_dead_part_is_not(settings: Settings) -> None:
    from ivr.supervisor.board import Board
    from ivr.supervisor.preflight import make_data_dir, only_one

    folder = make_data_dir(settings)
    board = Board(folder / "run" / "parts.json")
    board.set("asterisk", "ready", 1, 0)
    with only_one(folder), socket.create_server(("127.0.0.1", settings.ami_port)):
        assert [f.mark for f in only(doctor._ports, settings)] == [OK]
        board.set("engine", "dead", None, 0)
        assert [f.mark for f in only(doctor._ports, settings)] == [OK, BLOCK]


def test_a_data_dir_that_cannot_be_written_blocks(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert [f.blocks for f in only(doctor._data_dir, changed(settings, data_dir=tmp_path / "file" / "x"))] == [True]
    assert [f.mark for f in only(doctor._data_dir, settings)] == [OK, OK]


def test_a_full_disk_blocks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.supervisor.preflight.NEEDED_MB", 10**9)
    assert [f.mark for f in only(doctor._data_dir, settings)] == [OK, BLOCK]


def test_the_database_is_asked(settings: Settings) -> None:
    from ivr.store.migrate import upgrade

    assert [f.mark for f in only(doctor._database, settings)] == [OK]  # the first start makes it
    settings.data_dir.mkdir()
    upgrade(settings.effective_database_url)
    assert [f.mark for f in only(doctor._database, settings)] == [OK, WARNING]  # nobody can log in yet
    gone = changed(settings, database_url="postgresql+asyncpg://a:hunter2@127.0.0.1:9/x")
    [finding] = only(doctor._database, gone)
    assert finding.blocks
    assert "hunter2" not in finding.en


def test_no_duty_phone_warns(settings: Settings) -> None:
    assert [f.mark for f in only(doctor._duty_phone, changed(settings, duty_phone=""))] == [WARNING]
    assert [f.mark for f in only(doctor._duty_phone, settings)] == [OK]


def test_missing_prompts_block(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROJECT_ROOT", tmp_path)
    assert [f.mark for f in only(doctor._prompts, settings)] == [BLOCK]


def test_speech_is_never_needed(settings: Settings, tmp_path: Path) -> None:
    assert [f.mark for f in only(doctor._speech, settings)] == [OK], "the small model is carried"
    for wrong in (tmp_path, "/no/model"):
        findings = only(doctor._speech, changed(settings, speech_model_dir=wrong))
        assert [f.mark for f in findings] == [WARNING, OK]
        assert str(wrong) in findings[0].en


def test_without_any_model_it_is_keys_and_people_and_it_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell_of_speech(settings)
    assert caplog.messages == []
    monkeypatch.setattr(models, "CARRIED_MODEL", tmp_path / "none")
    tell_of_speech(settings)
    assert "keys and people" in caplog.messages[0]
    (finding,) = only(doctor._speech, settings)
    assert finding.mark == OK
    assert "keys and people" in finding.en
    assert "按键和人工" in finding.zh


def test_a_second_ear_that_is_asked_for_and_missing_is_said(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_keeper, "ENGINE", "no_such_engine")
    wanted = changed(settings, speech_second_ear=True)
    assert len(only(doctor._speech, settings)) == 1, "nobody asked for it"
    finding = only(doctor._speech, wanted)[-1]
    assert finding.mark == WARNING
    assert "no no_such_engine; pip install '.[second-ear]'" in finding.en
    monkeypatch.setattr(second_keeper, "ENGINE", "json")
    monkeypatch.setattr(second_keeper, "PACKAGES", ("no_such_package", "json"))
    assert "no no_such_package" in only(doctor._speech, wanted)[-1].en
    weights = second_keeper.weights_folder(wanted)
    weights.mkdir(parents=True)
    (weights / "model.bin").write_bytes(b"joined before")
    assert [f.mark for f in only(doctor._speech, wanted)] == [OK, OK], "and it is not taken for a Vosk model"
    deaf = only(doctor._speech, changed(wanted, listen_while_waiting=False))
    assert [f.mark for f in deaf] == [OK, WARNING, OK]


@pytest.mark.parametrize(("state", "mark"), [("ready", OK), ("loading", OK), ("away", WARNING)])
def test_while_it_runs_the_second_ear_is_looked_at(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, state: str, mark: str
) -> None:
    monkeypatch.setattr(second_keeper, "missing", lambda _folder: "")
    monkeypatch.setattr(preflight, "is_running", lambda _folder: True)
    file = path_in(settings.data_dir)
    file.parent.mkdir(parents=True)
    write_status(file, 1, "m", {}, 0, {"state": state, "counts": {"heard": 12, "dropped": 3}})
    finding = only(doctor._speech, changed(settings, speech_second_ear=True))[-1]
    assert finding.mark == mark
    assert "12 utterances heard, 3 dropped" in finding.en


def test_the_report_counts_what_blocks() -> None:
    assert "1 must be dealt with" in report([Finding(BLOCK, "坏", "bad"), Finding(WARNING, "嗯", "hm")])
    assert "ready to run" in report([Finding(WARNING, "嗯", "hm")])


def test_the_recordings_folder_must_be_writable_and_a_day_must_fit(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def free(megabytes: int) -> None:
        usage = shutil.disk_usage("/")._replace(free=megabytes * 1_000_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)

    free(10_000)
    assert [f.mark for f in only(doctor._recordings, settings)] == [OK]
    free(700)
    [finding] = only(doctor._recordings, settings)
    assert (finding.mark, "800 MB" in finding.en) == (WARNING, True)
    free(10_000)
    room = settings.recordings_dir / "I1"
    room.mkdir(parents=True)
    with (room / "room.wav").open("wb") as file:
        file.truncate(11_000_000_000)  # a hole: no byte of it is on disk
    [finding] = only(doctor._recordings, settings)
    assert (finding.mark, "11000 MB" in finding.en) == (WARNING, True), "as much as the last day had"
    monkeypatch.setattr(os, "access", lambda *_: False)
    [finding] = only(doctor._recordings, settings)
    assert (finding.mark, "cannot be written" in finding.en) == (WARNING, True)
    assert [f.mark for f in only(doctor._recordings, changed(settings, record_rooms=False))] == [OK]
