"""`ivr model install` over a real HTTP server on loopback: resumed, refused, damaged, hostile; what is in use stays."""

from __future__ import annotations

import hashlib
import io
import socket
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ivr.cli import main
from ivr.errors import PlainError
from ivr.settings import Settings
from ivr.speech import fetch as fetching
from ivr.speech import install as installing
from ivr.speech import official, unpack
from ivr.speech.install import Request, install
from ivr.speech.models import CARRIED_MODEL, INSTALLED, find_model, models_dir
from ivr.speech.official import Official, listed_md5
from ivr.speech.trial import Trial, TrialFailed, try_model
from tests.doubles.model_shelf import FILES, NAME, Shelf, serving, zipped


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetching, "KEEP_FREE", 0)
    monkeypatch.setattr(unpack, "KEEP_FREE", 0)
    with serving(zipped(FILES)) as shelf:
        yield shelf


@pytest.fixture
def published(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Official:
    """The publisher's small model, as long and with the checksum that this shelf holds."""
    small = Official(NAME, 1, len(shelf.data), hashlib.sha256(shelf.data).hexdigest())
    monkeypatch.setitem(official.OFFICIAL, "small", small)
    return small


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "var")


def run(settings: Settings, shelf: Shelf, **request: str) -> installing.Installed:
    quick = Request(publisher=shelf.url, **request)
    return install(settings, quick, lambda *_: None, trial=lambda _: Trial(90))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "LONGEST_PAUSE_S", 0.01)
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.5)


def nothing_left(settings: Settings) -> bool:
    folder = models_dir(settings)
    return not [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]


@pytest.mark.usefixtures("published")
def test_it_is_fetched_checked_and_in_use(settings: Settings, shelf: Shelf) -> None:
    done = run(settings, shelf)
    found = find_model(settings)
    assert found is not None
    assert (found.origin, found.name) == (INSTALLED, NAME)
    assert done.proof[1] == "its SHA-256 is right"
    assert (found.path / "am/final.mdl").read_bytes() == FILES["am/final.mdl"]
    assert not list((models_dir(settings) / ".download").glob("*"))
    assert run(settings, shelf).model.path == found.path, "once more over itself"


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("etag", ['"one"', "", 'W/"weak"'])
def test_a_broken_download_goes_on_where_it_stopped(settings: Settings, shelf: Shelf, etag: str) -> None:
    shelf.etag, shelf.breaks_after = etag, [100_000, 50_000]
    run(settings, shelf)
    assert shelf.asked == ["", "bytes=100000-", "bytes=150000-"]


@pytest.mark.usefixtures("published")
def test_a_server_without_ranges_is_read_from_the_start(settings: Settings, shelf: Shelf) -> None:
    shelf.ranges, shelf.breaks_after = False, [100_000]
    assert run(settings, shelf).model.name == NAME
    assert shelf.asked == ["", "bytes=100000-"]


@pytest.mark.usefixtures("published")
def test_given_up_it_goes_on_with_the_next_command(settings: Settings, shelf: Shelf) -> None:
    shelf.breaks_after = [100_000, *[0] * fetching.FRUITLESS_TRIES]
    with pytest.raises(PlainError, match=r"broke off .* after 0\.1 MB; run it again"):
        run(settings, shelf)
    assert find_model(settings) is None or find_model(settings).path == CARRIED_MODEL  # type: ignore[union-attr]
    run(settings, shelf)
    assert shelf.asked[-1] == "bytes=100000-"


def test_a_file_that_changed_on_the_server_begins_anew(settings: Settings, shelf: Shelf) -> None:
    shelf.breaks_after = [100_000, *[0] * fetching.FRUITLESS_TRIES]
    url = f"{shelf.url}/any/{NAME}.zip"
    with pytest.raises(PlainError, match="broke off"):
        run(settings, shelf, source=url)
    shelf.data, shelf.etag = zipped({**FILES, "am/final.mdl": b"newer" * 60_000}), '"two"'
    run(settings, shelf, source=url)
    found = find_model(settings)
    assert found is not None
    assert (found.path / "am/final.mdl").read_bytes() == b"newer" * 60_000


def test_no_length_told_is_no_trouble(settings: Settings, shelf: Shelf) -> None:
    shelf.tells_length = False
    assert run(settings, shelf, source=f"{shelf.url}/{NAME}.zip").model.name == NAME


@pytest.mark.usefixtures("published")
def test_a_busy_server_is_asked_again(settings: Settings, shelf: Shelf) -> None:
    shelf.answers = [503, 429]
    assert run(settings, shelf).model.name == NAME


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_said_at_once(settings: Settings, shelf: Shelf, status: int) -> None:
    shelf.answers = [status] * 9
    with pytest.raises(PlainError, match=f"the server says {status}"):
        run(settings, shelf)
    assert len(shelf.asked) == 1
    assert nothing_left(settings)


def test_no_network_says_how_to_do_without(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    with pytest.raises(PlainError, match=r"cannot be reached .*Connection refused.* use --from FILE"):
        install(settings, Request(publisher=f"http://127.0.0.1:{free}"), lambda *_: None)
    with pytest.raises(PlainError, match="cannot be reached"):
        install(settings, Request(publisher="http://no-such-host.invalid"), lambda *_: None)


@pytest.mark.usefixtures("published")
def test_a_server_that_falls_silent_is_left_and_asked_for_the_rest(settings: Settings, shelf: Shelf) -> None:
    shelf.silent_after = [100_000]
    run(settings, shelf)
    assert shelf.asked == ["", "bytes=100000-"]


@pytest.mark.usefixtures("published")
def test_a_slow_server_is_waited_for_and_a_dead_slow_one_left(
    settings: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.dribble_s = 0.01
    run(settings, shelf)
    assert shelf.asked == [""]
    monkeypatch.setattr(fetching, "STALL_S", 0.2)
    monkeypatch.setattr(fetching, "STALL_BYTES", 10**9)
    run(settings, shelf)
    assert len(shelf.asked) > 2, "another connection after each too slow one, each going on from the last"


def test_a_wrong_sum_is_not_installed_and_not_kept(settings: Settings, shelf: Shelf, published: Official) -> None:
    shelf.data = shelf.data.replace(b"acoustic", b"acousteg", 1)
    with pytest.raises(PlainError, match=f"SHA-256 [0-9a-f]{{64}}, not {published.sha256}"):
        run(settings, shelf)
    assert nothing_left(settings)


@pytest.mark.usefixtures("published")
def test_a_log_in_page_of_the_network_is_no_model(settings: Settings, shelf: Shelf) -> None:
    shelf.data = b"<html>please log in</html>"
    with pytest.raises(PlainError, match="26 bytes"):
        run(settings, shelf)
    assert nothing_left(settings)


def test_the_big_one_is_held_against_the_publisher_s_list(settings: Settings, shelf: Shelf) -> None:
    shelf.data = zipped(FILES, official.BIG.name)
    md5 = hashlib.md5(shelf.data, usedforsecurity=False).hexdigest()
    shelf.models = [{"name": official.BIG.name, "md5": md5, "size": len(shelf.data)}]
    assert "MD5" in run(settings, shelf, which="big").proof[1]
    shelf.models[0]["md5"] = "0" * 32
    with pytest.raises(PlainError, match="damaged or another file"):
        run(settings, shelf, which="big")
    shelf.models = []
    assert "no checksum is known" in run(settings, shelf, which="big").proof[1]


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b'[{"name": "m"}]', b'[{"name": "m", "md5": "x", "size": 1}]', b"3"]
)
def test_a_list_that_makes_no_sense_proves_nothing(text: bytes) -> None:
    assert listed_md5(text, "m") is None


def test_from_a_file_on_a_stick(settings: Settings, shelf: Shelf, published: Official, tmp_path: Path) -> None:
    stick = tmp_path / "stick" / "anything.zip"
    stick.parent.mkdir()
    stick.write_bytes(shelf.data)
    assert run(settings, shelf, source=str(stick), which="small").proof[1] == "its SHA-256 is right"
    assert "official small model's" in run(settings, shelf, source=str(stick)).proof[1]
    other = stick.with_name("other.zip")
    other.write_bytes(zipped({**FILES, "readme": b"another"}))
    assert "no checksum is known" in run(settings, shelf, source=str(other)).proof[1]
    run(settings, shelf, source=str(stick), sha256=published.sha256.upper())
    with pytest.raises(PlainError, match="damaged or another file"):
        run(settings, shelf, source=str(stick), sha256="0" * 64)
    assert stick.exists()
    assert not shelf.asked
    for wrong, said in ((stick.parent, "is a folder"), (tmp_path / "none.zip", "no such file")):
        with pytest.raises(PlainError, match=said):
            run(settings, shelf, source=str(wrong))


@pytest.mark.parametrize(
    ("files", "top", "said"),
    [
        ({"readme": b"hello"}, NAME, "is not a whole Vosk model"),
        ({**FILES, "../../evil": b"x"}, "", "leads elsewhere"),
        ({**FILES, "/etc/evil": b"x"}, "", "leads elsewhere"),
        ({**FILES, "a\\..\\evil": b"x"}, "", "leads elsewhere"),
        ({**FILES, "C:/evil": b"x"}, "", "leads elsewhere"),
        ({**FILES, "a\nb": b"x"}, "", "no file name"),
        ({f"f{n}": b"" for n in range(2001)}, "", "2001 files"),
    ],
)
def test_an_archive_that_is_no_model_or_means_harm_is_refused(
    settings: Settings, shelf: Shelf, tmp_path: Path, files: dict[str, bytes], top: str, said: str
) -> None:
    refused(settings, shelf, tmp_path, zipped(files, top), said)


def refused(settings: Settings, shelf: Shelf, tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "x" / "model.zip"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(PlainError, match=said):
        run(settings, shelf, source=str(file))
    assert nothing_left(settings)
    assert sorted(path for path in tmp_path.iterdir() if path.name != "var") == [p for p in before if p.name != "var"]
    assert not list(tmp_path.rglob("evil"))


def test_bombs_links_and_damage_are_refused(settings: Settings, shelf: Shelf, tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as box:
        box.writestr("am/final.mdl", bytes(200_000_000))
    refused(settings, shelf, tmp_path, bomb.getvalue(), "200000000 bytes")

    link = io.BytesIO()
    with zipfile.ZipFile(link, "w") as box:
        entry = zipfile.ZipInfo("am")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        box.writestr(entry, "/etc")
    refused(settings, shelf, tmp_path, link.getvalue(), "a link")

    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as box:
        box.writestr("am/final.mdl", b"x")
        with pytest.warns(UserWarning, match="Duplicate"):
            box.writestr("am/final.mdl", b"x")
    refused(settings, shelf, tmp_path, twice.getvalue(), "twice")

    whole = zipped(FILES)
    refused(settings, shelf, tmp_path, whole[: len(whole) // 2], "not a sound zip")
    refused(settings, shelf, tmp_path, whole.replace(b"acoustic", b"acousteg", 1), "not a sound zip")
    refused(settings, shelf, tmp_path, b"", "not a sound zip")


def test_a_full_disk_is_said_before_and_meanwhile(
    settings: Settings, shelf: Shelf, published: Official, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"{published.name}.zip"
    file.write_bytes(shelf.data)
    monkeypatch.setattr(fetching, "KEEP_FREE", 10**18)
    with pytest.raises(PlainError, match="not enough disk"):
        run(settings, shelf)
    monkeypatch.setattr(fetching, "KEEP_FREE", 0)
    monkeypatch.setattr(unpack, "KEEP_FREE", 10**18)
    with pytest.raises(PlainError, match="not enough disk"):
        run(settings, shelf, source=str(file))
    assert nothing_left(settings)
    monkeypatch.setattr(unpack, "KEEP_FREE", 0)

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(28, "No space left on device")

    real = Path.open

    def opened(path: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        return Full(str(path), "w") if path.suffix == ".zip" and mode == "wb" else real(path, mode, *more, **options)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(PlainError, match="not enough disk"):
        run(settings, shelf)
    assert nothing_left(settings), "on a full disk nothing of it may stay"


@pytest.mark.usefixtures("published")
def test_a_model_that_vosk_cannot_load_leaves_the_one_in_use(settings: Settings, shelf: Shelf) -> None:
    run(settings, shelf)
    before = find_model(settings)

    def fails(_: Path) -> Trial:
        raise TrialFailed("坏", "Vosk cannot load this model")

    with pytest.raises(PlainError, match="cannot load"):
        install(settings, Request(publisher=shelf.url), lambda *_: None, trial=fails)
    assert find_model(settings) == before
    assert not (models_dir(settings) / ".new").exists()


def test_two_at_once_are_one_too_many(settings: Settings, shelf: Shelf) -> None:
    with installing.alone(_made(models_dir(settings))), pytest.raises(PlainError, match="another ivr model install"):
        run(settings, shelf)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def test_rubbish_is_found_out_by_vosk_itself_and_takes_nobody_with_it(tmp_path: Path) -> None:
    for name, data in FILES.items():
        (tmp_path / "m" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "m" / name).write_bytes(data)
    with pytest.raises(TrialFailed, match="cannot load"):
        try_model(tmp_path / "m")


def test_the_carried_model_goes_through_the_whole_installation(settings: Settings, tmp_path: Path) -> None:
    files = {str(f.relative_to(CARRIED_MODEL)): f.read_bytes() for f in CARRIED_MODEL.rglob("*") if f.is_file()}
    (tmp_path / "own-model.zip").write_bytes(zipped(files, ""))
    done = install(settings, Request(source=str(tmp_path / "own-model.zip")), lambda *_: None)
    assert (done.model.name, done.model.takes_grammar) == ("own-model", True)
    assert 20 < done.trial.memory_mb < 2000


def test_the_command_ends_in_one_sentence_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IVR_DATA_DIR", str(tmp_path / "var"))
    assert main(["model", "install", "--from", str(tmp_path / "none.zip")]) == 1
    assert "no such file" in capsys.readouterr().err
    assert main(["model", "install", "--from", "ftp://x/y.zip"]) == 1
    assert main(["model", "show"]) == 0
