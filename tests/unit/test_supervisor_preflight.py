"""Everything that is found out before something is started: ports, disk, a second supervisor, secrets."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from ivr.errors import StartError
from ivr.secrets_file import ensure_secrets, load_secrets
from ivr.settings import Settings
from ivr.supervisor import preflight
from ivr.supervisor.child import rotate
from ivr.supervisor.first_start import Account
from ivr.supervisor.screen import welcome


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(sock.getsockname()[1]) for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    names = ("http_port", "sip_port", "ami_port", "agi_port", "speech_port", "trunk_port", "rtp_start")
    return Settings(data_dir=tmp_path / "var", **dict(zip(names, free_ports(len(names)), strict=True)))  # type: ignore[arg-type]


def test_free_ports_pass(settings: Settings) -> None:
    preflight.check_ports(settings, demo=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("name", ["http_port", "ami_port", "agi_port", "speech_port"])
def test_a_tcp_port_in_use_is_named(settings: Settings, name: str, host: str) -> None:
    port = getattr(settings, name)
    with socket.create_server((host, port)), pytest.raises(StartError, match=rf"{port}/TCP.*{name}.*in use"):
        preflight.check_ports(settings, demo=False)


@pytest.mark.parametrize("name", ["sip_port", "rtp_start"])
def test_a_udp_port_in_use_is_named(settings: Settings, name: str) -> None:
    port = getattr(settings, name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", port))
        with pytest.raises(StartError, match=re.compile(f"{port}/UDP.*{name}", re.DOTALL)):
            preflight.check_ports(settings, demo=False)


def test_two_settings_with_one_port_are_named(settings: Settings) -> None:
    same = settings.model_copy(update={"agi_port": settings.http_port})
    with pytest.raises(StartError, match="http_port and agi_port"):
        preflight.check_ports(same, demo=False)


def test_a_connection_closed_a_moment_ago_does_not_count(settings: Settings) -> None:
    address = ("127.0.0.1", settings.http_port)
    with socket.create_server(address) as server, socket.create_connection(address) as client:
        accepted, _ = server.accept()
        accepted.close()  # the server's side closes first: TIME_WAIT stays on its port
        client.recv(1)
    preflight.check_ports(settings, demo=False)


def test_too_little_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="not enough disk space"):
        preflight.check_disk(tmp_path, needed_mb=10**9)


def test_one_supervisor_per_data_dir(settings: Settings) -> None:
    folder = preflight.make_data_dir(settings)
    assert not preflight.is_running(folder)
    with preflight.only_one(folder):
        assert preflight.is_running(folder)
        with pytest.raises(StartError, match="already runs"), preflight.only_one(folder):
            pass
    with preflight.only_one(folder):
        pass


def test_a_data_dir_that_cannot_be_made_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="cannot write data_dir"):
        preflight.make_data_dir(settings.model_copy(update={"data_dir": tmp_path / "file" / "var"}))


def test_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    made = ensure_secrets(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_secrets(path) == made
    assert len({made.ami_reader, made.ami_actor, made.cookie_key}) == 3
    assert made.cookie_key not in repr(made)
    assert [p.name for p in tmp_path.iterdir()] == ["secrets.toml"]


def test_secrets_open_to_others_or_broken_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    ensure_secrets(path)
    path.chmod(0o644)
    with pytest.raises(StartError, match="chmod 600"):
        load_secrets(path)
    path.chmod(0o600)
    path.write_text("ami_reader = ")
    with pytest.raises(StartError, match="is broken"):
        load_secrets(path)


def test_large_logs_move_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ivr.supervisor.child.LOG_LIMIT", 4)
    log = tmp_path / "a.log"
    for text in ("first", "second", "third!", "fourth", "x"):
        rotate(log)
        log.write_text(text)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "a.log": "x",
        "a.log.1": "fourth",
        "a.log.2": "third!",
        "a.log.3": "second",
    }


def test_the_screen_shows_secrets_only_when_they_are_new(settings: Settings) -> None:
    accounts = [Account("admin", "admin", "pw-of-admin"), Account("1001", "agent", "pw", "1001", "sip-of-1001")]
    first = welcome(settings, accounts, demo=True)
    for text in ("pw-of-admin", "sip-of-1001", f":{settings.http_port}/", "12349120", "ivr demo press", "Ctrl-C"):
        assert text in first
    later = welcome(settings, [], demo=False)
    assert "pw" not in later
    assert "ivr demo press" not in later
