"""The command line: help is fast, trouble is one sentence with a status that is not 0."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ivr.cli import main

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IVR_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("IVR_TOOLS_DIR", str(tmp_path / "tools"))
    monkeypatch.setenv("IVR_CONFIG", str(tmp_path / "none.toml"))
    return tmp_path


def test_help_imports_no_room() -> None:
    code = (
        "import sys\nfrom ivr.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "bad = {'pydantic', 'sqlalchemy', 'aiohttp', 'jinja2', 'alembic'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for word in ("run", "engine", "console", "asterisk", "doctor", "demo", "import", "user", "token", "bench"):
        assert f"    {word}" in done.stdout


def test_an_unknown_command_is_status_2() -> None:
    with pytest.raises(SystemExit) as caught:
        main(["dance"])
    assert caught.value.code == 2


def test_a_wrong_setting_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("IVR_HTTP_PORT", "banana")
    assert main(["doctor"]) == 1
    said = capsys.readouterr().err
    assert "IVR_HTTP_PORT" in said
    assert "Traceback" not in said


def test_users_and_tokens_are_added_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "add", "li", "--role", "agent", "--extension", "1003"]) == 0
    said = capsys.readouterr().out
    assert "li (agent)" in said
    assert "SIP secret: " in said
    assert main(["user", "add", "li", "--role", "admin", "--password", "long enough"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["user", "add", "wang", "--role", "agent", "--extension", "1003"]) == 1
    capsys.readouterr()
    assert main(["token", "create", "gateway"]) == 0
    assert capsys.readouterr().out.startswith("ylt_")
    assert main(["token", "create", "gateway"]) == 1


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--password", "short"], "at least 8"),
        (["--extension", "10a3"], "digits"),
        (["--extension", "0100"], "digits"),
        (["--sip-secret", "x"], "needs --extension"),
    ],
)
def test_a_user_that_cannot_be(more: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "add", "li", "--role", "agent", *more]) == 1
    assert why in capsys.readouterr().err


def test_a_database_that_is_not_there_is_one_sentence_without_its_password(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IVR_DATABASE_URL", "postgresql+asyncpg://ivr:hunter2@127.0.0.1:9/ivr")
    assert main(["token", "create", "gateway"]) == 1
    said = capsys.readouterr().err
    assert "cannot be used" in said
    assert "hunter2" not in said


def test_import_of_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "elders", "/no/file.csv"]) == 1
    assert "no such file: /no/file.csv" in capsys.readouterr().err


def test_a_demo_call_needs_a_running_system(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "press"]) == 1
    assert "ivr run --demo" in capsys.readouterr().err


def test_run_names_a_port_in_use(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("IVR_AGI_PORT", str(taken.getsockname()[1]))
        for name in ("SIP_PORT", "HTTP_PORT", "AMI_PORT", "RTP_START"):
            with socket.create_server(("127.0.0.1", 0)) as free:
                monkeypatch.setenv(f"IVR_{name}", str(free.getsockname()[1]))
        assert main(["run"]) == 1
    assert "(setting agi_port) is in use" in capsys.readouterr().err


def test_a_part_ends_cleanly_by_sigterm_and_beats_until_then(tmp_path: Path) -> None:
    code = (
        "import asyncio, sys\nfrom ivr.cli.part import run_part\nfrom ivr.settings import load_settings\n"
        "async def main(settings):\n    print('serving', flush=True)\n    await asyncio.Event().wait()\n"
        "sys.exit(run_part('thing', main, load_settings()))"
    )
    from ivr.heartbeat import heartbeat_address
    from ivr.supervisor.heartbeat import Heartbeats

    async def listen() -> None:
        beats = Heartbeats()
        await beats.open(heartbeat_address(tmp_path / "var"))
        part = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, cwd=PROJECT, stdout=subprocess.PIPE, env=dict(os.environ)
        )
        try:
            async with asyncio.timeout(20):
                await beats.wait_first(part.pid)
                assert part.stdout is not None
                assert await part.stdout.readline() == b"serving\n"
                started = time.monotonic()
                part.send_signal(signal.SIGTERM)
                assert await part.wait() == 0
            assert time.monotonic() - started < 5
        finally:
            beats.close()

    asyncio.run(listen())
