"""Portable programs with a pretended apt-get and dpkg: what is said when fetching fails, what is left behind."""

from __future__ import annotations

import os
import shutil
import textwrap
import threading
from pathlib import Path

import pytest

from ivr.asterisk import debian_mirror, portable
from ivr.asterisk.apt_run import explain
from ivr.asterisk.debtree import Recipe, ensure_tree, read_stamp, version_numbers
from ivr.asterisk.portable import asterisk_command, found_asterisk, main, sipp_command
from ivr.errors import SetupError
from ivr.settings import Settings

MIRRORS = debian_mirror.Mirrors("http://127.0.0.1:9/debian", "http://127.0.0.1:9/debian-security")
RECIPE = Recipe("thing", ("thing",), "sid", 1, leave_out=("libc6_",), floors={"thing": (22, 10, 1)})


class Machine:
    """A PATH of our own, with programs that we write."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.tools = folder / "tools"
        for name in ("sh", "mkdir", "cat", "echo", "basename", "touch", "sleep", "dirname"):
            (self.bin / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        monkeypatch.setenv("PATH", str(self.bin))
        key = folder / "key.gpg"
        key.touch()
        monkeypatch.setattr(debian_mirror, "KEYRING", key)
        self.settings = Settings(tools_dir=self.tools, debian_mirror=MIRRORS.main)

    def program(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text("#!/bin/sh\n" + textwrap.dedent(script))
        path.chmod(0o755)
        return path

    def debian(self, update: str = "", install: str = "", version: str = "1%3a22.10.1-1") -> None:
        self.program("apt-config", "exit 0")
        self.program(
            "apt-get",
            f"""
            cd "$(dirname "$APT_CONFIG")"
            case "$*" in
            *update*) echo $$ >> ../updates; {update or ":"} ;;
            *install*) {install or ":"}
              echo "dlstatus:1:50.0:Retrieving file 1 of 2"
              touch "cache/archives/thing_{version}_amd64.deb" cache/archives/libc6_2.41-1_amd64.deb ;;
            esac
            """,
        )
        self.program(
            "dpkg",
            """
            case $1 in
            --print-architecture) echo amd64 ;;
            -x) mkdir -p "$3/usr/share/doc" "$3/usr/bin"; echo "$2" > "$3/usr/bin/$(basename "$2")" ;;
            esac
            """,
        )

    def fetch(self) -> Path:
        return ensure_tree(RECIPE, self.tools, MIRRORS, lambda _what, _percent: None)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_tree_is_fetched_once_and_leaves_no_archives(machine: Machine) -> None:
    machine.debian()
    root = machine.fetch()
    assert machine.fetch() == root
    assert read_stamp(root, RECIPE) == {"thing": "1:22.10.1-1", "libc6": "2.41-1"}
    assert sorted(p.name for p in (root / "usr/bin").iterdir()) == ["thing_1%3a22.10.1-1_amd64.deb"]
    assert not (root / "usr/share/doc").exists()
    assert sorted(p.name for p in machine.tools.iterdir()) == [".thing.lock", "thing", "updates"]
    assert len((machine.tools / "updates").read_text().split()) == 1


def test_two_at_once_fetch_once(machine: Machine) -> None:
    machine.debian(update="sleep 0.5")
    threads = [threading.Thread(target=machine.fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len((machine.tools / "updates").read_text().split()) == 1


def test_the_private_configuration_touches_nothing_of_the_host(machine: Machine) -> None:
    machine.debian(install="cat apt.conf sources.list > ../seen")
    machine.fetch()
    seen = (machine.tools / "seen").read_text()
    work = machine.tools / ".thing.work"
    for line in (
        f'Dir::Etc::SourceList "{work}/sources.list";',
        f'Dir::State::Status "{work}/status";',
        f'Dir::Cache "{work}/cache";',
        'APT::Sandbox::User "";',
    ):
        assert line in seen
    assert "signed-by=" in seen
    assert "trusted=yes" not in seen


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("Temporary failure resolving 'example.invalid'", "cannot be reached"),
        ("E: Failed to fetch http://x  Could not connect to 127.0.0.1:9 (127.0.0.1).", "cannot be reached"),
        ("E: You don't have enough free space in /x/archives/.", "disk is full"),
        ("E: Write error - write (28: No space left on device)", "disk is full"),
        ("W: GPG error: InRelease: NO_PUBKEY 0E98404D386FA1D9", "archive-keyring"),
        ("E: Unable to locate package asterisk", "Unable to locate package asterisk"),
    ],
)
@pytest.mark.parametrize("when", ["update", "install"])
def test_what_apt_complains_of_becomes_one_sentence(machine: Machine, when: str, said: str, sentence: str) -> None:
    machine.debian(**{when: f'echo "{said}" >&2; exit 100'})
    with pytest.raises(SetupError, match=sentence) as caught:
        machine.fetch()
    assert not (machine.tools / "thing").exists()
    assert "\n" not in caught.value.zh
    assert "\n" not in caught.value.en


def test_an_interrupted_fetch_is_not_complete_and_the_next_one_is(machine: Machine) -> None:
    machine.debian()
    good = (machine.bin / "dpkg").read_text()
    machine.program("dpkg", 'case $1 in --print-architecture) echo amd64 ;; *) echo "broken" >&2; exit 2 ;; esac')
    with pytest.raises(SetupError, match="broken"):
        machine.fetch()
    assert not (machine.tools / "thing").exists()
    (machine.bin / "dpkg").write_text(good)
    assert read_stamp(machine.fetch(), RECIPE)


def test_a_mirror_with_an_old_version_is_refused(machine: Machine) -> None:
    machine.debian(version="1%3a22.9.0-1")
    with pytest.raises(SetupError, match=r"1:22\.9\.0-1, below the floor 22\.10\.1"):
        machine.fetch()


def test_too_little_disk_is_said_before_anything_is_fetched(machine: Machine) -> None:
    machine.debian()
    greedy = Recipe("thing", ("thing",), "sid", 10**9)
    with pytest.raises(SetupError, match="disk full"):
        ensure_tree(greedy, machine.tools, MIRRORS, lambda _what, _percent: None)
    assert not (machine.tools / "updates").exists()


def test_no_apt_is_said_and_the_status_is_not_0(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["IVR_TOOLS_DIR"] = str(machine.tools)  # monkeypatch of PATH restores the rest
    try:
        assert main(["ensure", "sipp"]) == 1
    finally:
        del os.environ["IVR_TOOLS_DIR"]
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("这台机器没有 apt-get/dpkg")
    assert said[1].startswith("this machine has no apt-get and dpkg")


def test_a_missing_keyring_is_said(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian_mirror, "KEYRING", Path("/no/such/keyring.gpg"))
    machine.debian()
    with pytest.raises(SetupError, match="apt-get install debian-archive-keyring"):
        machine.fetch()


def test_an_asterisk_below_the_floor_is_refused_when_named_and_passed_over_otherwise(machine: Machine) -> None:
    old = machine.program("asterisk", "echo Asterisk 20.1.0~dfsg")
    with pytest.raises(SetupError, match=r"version 20\.1\.0, below the security floor 22\.10\.1"):
        asterisk_command(machine.settings.model_copy(update={"asterisk_binary": str(old)}))
    assert found_asterisk(machine.settings) is None


def test_a_named_asterisk_that_does_not_run_is_said(machine: Machine) -> None:
    with pytest.raises(SetupError, match="/no/asterisk, which does not run"):
        asterisk_command(machine.settings.model_copy(update={"asterisk_binary": "/no/asterisk"}))


@pytest.mark.parametrize("text", ["Asterisk 22.10.1~dfsg+~cs6-1", "Asterisk 23.0.0", "Asterisk certified/22.11.0"])
def test_a_system_asterisk_at_the_floor_is_used(machine: Machine, text: str) -> None:
    path = machine.program("asterisk", f'echo "{text}"')
    program = asterisk_command(machine.settings)
    assert program.argv == [str(path)]
    assert program.version >= portable.ASTERISK_FLOOR
    assert program.serve(Path("/c/asterisk.conf")) == [str(path), "-C", "/c/asterisk.conf", "-f", "-n"]
    assert program.remote(Path("/c"), "core stop now")[-2:] == ["-rx", "core stop now"]


def test_a_tree_without_its_loader_is_not_complete(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.debian()
    monkeypatch.setitem(portable.RECIPES, "sipp", Recipe("sipp", ("thing",), "sid", 1))
    with pytest.raises(SetupError, match="not complete"):
        sipp_command(machine.settings)


def test_mirrors_come_from_the_setting_then_the_host(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    template = tmp_path / "Debian.info"
    with pytest.raises(SetupError, match="IVR_DEBIAN_MIRROR"):
        debian_mirror.find_mirrors(etc_apt=tmp_path, template=template)
    template.write_text("Suite: sid\nBaseURI: http://template/debian/\n")
    assert debian_mirror.find_mirrors(etc_apt=tmp_path, template=template).main == "http://template/debian"
    (tmp_path / "sources.list").write_text(
        "# deb http://old/debian x main\ndeb [arch=amd64] http://list/debian/ x main\n"
    )
    assert debian_mirror.find_mirrors(etc_apt=tmp_path).main == "http://list/debian"
    (parts / "d.sources").write_text("Types: deb\nURIs: http://fields/debian-security http://other/thing\nSuites: x\n")
    assert debian_mirror.find_mirrors(etc_apt=tmp_path).security == "http://fields/debian-security"
    named = debian_mirror.find_mirrors("http://mine/debian/", etc_apt=tmp_path)
    assert named == debian_mirror.Mirrors("http://mine/debian", "http://mine/debian-security")


def test_versions_compare_as_numbers() -> None:
    assert version_numbers("1:22.10.1~dfsg+~cs6.15-1") == (22, 10, 1)
    assert version_numbers("22.9.0") < (22, 10, 1) < version_numbers("22.11.0-rc1")
    assert version_numbers("unknown") == ()


def test_the_last_error_line_is_kept_when_nothing_is_recognised() -> None:
    assert "weird" in explain("reading\nsomething weird").en
    assert explain("").en
