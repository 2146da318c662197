"""Names aloud: read rightly, recorded in the order of need, kept from strange eyes, and never waited for."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from pypinyin import Style, pinyin

from ivr.domain.people import Person
from ivr.prompts.install import install_prompts
from ivr.services.ports import StoreUnavailable
from ivr.settings import Settings
from ivr.voice import renderer as rendering
from ivr.voice.calls import SpokenNames
from ivr.voice.library import Library
from ivr.voice.renderer import Renderer
from ivr.voice.synthesiser import Synthesiser, Unspeakable, VoiceMissing, find_voice
from ivr.voice.wording import (
    READ_AS,
    READ_AS_PAIR,
    address_sentence,
    name_sentence,
    spoken_address,
    spoken_name,
)
from ivr.voicing import read_progress
from tests.doubles.patience import until

PROMPTS = Path(__file__).parents[2] / "prompts"
# The readings that dictionaries of surnames give.
SURNAMES = {
    "单": "shàn", "仇": "qiú", "解": "xiè", "区": "ōu", "曾": "zēng", "任": "rén", "朴": "piáo", "华": "huà",
    "翟": "zhái", "缪": "miào", "查": "zhā", "盖": "gě", "葛": "gě", "折": "shé", "种": "chóng", "员": "yùn",
    "贠": "yùn", "黑": "hè", "洗": "xiǎn", "过": "guō", "应": "yīng", "令": "líng", "召": "shào", "繁": "pó",
    "燕": "yān", "柏": "bǎi", "曲": "qū", "都": "dū", "干": "gān", "句": "gōu", "藏": "zāng", "於": "yū",
    "祭": "zhài", "薄": "bó", "撒": "sǎ", "卜": "bǔ", "阚": "kàn", "阙": "què",
}  # fmt: skip
PAIRS = {
    "尉迟": "yù chí", "万俟": "mò qí", "长孙": "zhǎng sūn", "澹台": "tán tái", "单于": "chán yú", "令狐": "líng hú",
}  # fmt: skip


def name_of(name: str) -> str:
    return f"求助的老人是{name}。"


def sounds(text: str) -> str:
    return " ".join(syllable[0] for syllable in pinyin(list(text), style=Style.TONE))


def test_what_stands_for_a_surname_sounds_like_it() -> None:
    assert {name: sounds(read) for name, read in READ_AS.items()} == SURNAMES
    assert {name: sounds(read) for name, read in READ_AS_PAIR.items()} == PAIRS


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("王桂芳", "王桂芳"),
        ("单国强", "善国强"),
        (" 张 三 （独居）", "张三"),
        ("李四(3号楼)", "李四"),
        ("买买提·艾力", "买买提艾力"),
        ("尉迟恭", "玉池恭"),
        ("单于", "善于"),
        ("王", None),
        ("", None),
        ("John Smith", None),
        ("王3", None),
        ("王" * 13, None),
        ("王桂芳；rm -rf", None),
        ("😀😀", None),
    ],
)
def test_a_name_is_said_as_people_say_it_or_not_at_all(name: str, said: str | None) -> None:
    assert spoken_name(name) == said


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("建设路12号3栋502室", "建设路，十二号三栋五零二室"),
        ("上海市徐汇区漕溪北路 1200 弄 3 号 1103", "上海市徐汇区漕溪北路，幺二零零弄，三号幺幺零三"),
        ("幸福小区3-2-501", "幸福小区三杠二杠五零幺"),
        ("银杏苑A座１８层（近菜场）", "银杏苑诶座十八层"),
        ("李家村05号", "李家村，零五号"),
        (None, None),
        ("", None),
        ("Main Street 5", None),
        ("长" * 41, None),
        ("$(reboot)", None),
    ],
)
def test_an_address_is_said_as_people_say_it_or_not_at_all(address: str | None, said: str | None) -> None:
    assert spoken_address(address) == said


def test_a_name_is_recorded_in_a_sentence_or_not_at_all() -> None:
    assert name_sentence("单国强（独居）") == name_of("善国强")
    assert name_sentence("Smith") is None
    assert address_sentence("水路2号") == "住址是水路，二号。"
    assert address_sentence("") is None


def test_the_folder_tells_nobody_who_is_in_it(tmp_path: Path) -> None:
    library = Library(tmp_path / "spoken")
    library.put("王桂芳", b"sound")
    assert library.find("王桂芳") == b"sound"
    assert library.find("李四") is None
    assert Library(tmp_path / "spoken").find("王桂芳") == b"sound", "the key is kept"
    everything = [tmp_path / "spoken", *(tmp_path / "spoken").rglob("*")]
    for path in everything:
        assert path.stat().st_mode & 0o077 == 0, path
        assert "王" not in str(path)
        assert stat.S_IMODE(path.stat().st_mode) in (0o700, 0o600)
    other = Library(tmp_path / "other")
    other.put("王桂芳", b"sound")
    assert other.path("王桂芳").name != library.path("王桂芳").name, "a hash without a key can be guessed"


def test_forgotten_is_forgotten_and_what_calls_joined_is_not_kept_for_long(tmp_path: Path) -> None:
    library = Library(tmp_path / "spoken")
    library.put("王桂芳", b"sound")
    old = Path(f"{library.keep_joined('old-family', b'joined')}.alaw")
    os.utime(old, (0, 0))
    new = Path(f"{library.keep_joined('new-family', b'joined')}.alaw")
    assert (old.exists(), new.exists()) == (False, True)
    assert library.forget() == 1
    assert list((tmp_path / "spoken").rglob("*.alaw")) == []


def test_looking_for_a_recording_makes_nothing(tmp_path: Path) -> None:
    assert Library(tmp_path / "spoken").find("王桂芳") is None
    assert not (tmp_path / "spoken").exists()


class People:
    """The `Named` port, from a list."""

    def __init__(self, *people: Person) -> None:
        self.people = list(people)
        self.fails: Exception | None = None
        self.delay_s = 0.0

    async def of_incident(self, incident_id: str) -> Person | None:
        await asyncio.sleep(self.delay_s)
        if self.fails:
            raise self.fails
        return next((p for p in self.people if p.elder_no == incident_id), None)

    async def after(self, elder_no: str, limit: int) -> Sequence[Person]:
        if self.fails:
            raise self.fails
        return sorted((p for p in self.people if p.elder_no > elder_no), key=lambda p: p.elder_no)[:limit]


class Reader:
    """A synthesiser that notes what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses: set[str] = set()
        self.dies_at = ""
        self.on_say: dict[str, object] = {}
        self.rested = 0

    @property
    def said(self) -> list[str]:
        """The names and addresses, without the sentence around each."""
        return [text.removeprefix("求助的老人是").removeprefix("住址是").rstrip("。") for text in self.asked]

    async def say(self, text: str) -> bytes:
        self.asked.append(text)
        text = self.said[-1]
        if text == self.dies_at:
            self.dies_at = ""
            raise VoiceMissing("killed")
        if text in self.refuses:
            raise Unspeakable("unknown character")
        if callable(then := self.on_say.pop(text, None)):
            then()
        return self.asked[-1].encode()

    async def rest(self) -> None:
        self.rested += 1


ALONE = Person("1", "王独", "山路1号")
FAMILY = Person("2", "李家人", "水路2号", has_family=True)
DEVICE = Person("3", "张设备", "火路3号", has_device=True)
BOTH = Person("4", "赵都有", None, has_device=True, has_family=True)
NAMELESS = Person("5", "X", None, has_device=True)


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "KEEP_FREE", 0)
    monkeypatch.setattr(rendering, "PAGE", 2)


def make(tmp_path: Path, people: People, reader: Reader, *, addresses: bool = True) -> Renderer:
    status = tmp_path / "run" / "voice.json"
    return Renderer(Library(tmp_path / "spoken"), people, reader, status, addresses=addresses, share=1.0)


async def test_the_most_urgent_are_recorded_first_and_only_once(tmp_path: Path) -> None:
    people, reader = People(ALONE, FAMILY, DEVICE, BOTH, NAMELESS), Reader()
    assert await make(tmp_path, people, reader).once()
    assert reader.said == ["张设备", "赵都有", "李家人", "火路，三号", "王独"]
    again = make(tmp_path, people, reader)
    assert await again.once()
    assert len(reader.asked) == 5, "nothing is made twice, also by another process"
    said = json.loads((tmp_path / "run" / "voice.json").read_text())
    assert (said["state"], said["wanted"], said["made"], said["unspeakable"]) == ("idle", 5, 5, 1)
    assert read_progress(Settings(data_dir=tmp_path)) == again.progress


async def test_without_a_duty_phone_no_address_is_recorded(tmp_path: Path) -> None:
    reader = Reader()
    await make(tmp_path, People(DEVICE), reader, addresses=False).once()
    assert reader.said == ["张设备"]


async def test_it_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    people, reader = People(FAMILY, DEVICE, ALONE), Reader()
    reader.dies_at = "李家人"
    assert not await make(tmp_path, people, reader, addresses=False).once()
    assert json.loads((tmp_path / "run" / "voice.json").read_text())["state"] == "no_voice"
    assert await make(tmp_path, people, reader, addresses=False).once()
    assert reader.said == ["张设备", "李家人", "李家人", "王独"]


async def test_who_is_gone_or_renamed_is_heard_no_more(tmp_path: Path) -> None:
    people, reader = People(FAMILY, DEVICE), Reader()
    renderer = make(tmp_path, people, reader, addresses=False)
    await renderer.once()
    joined = tmp_path / "spoken" / "now" / f"{renderer.library.path(name_of('李家人')).stem}-family-alarm.alaw"
    joined.parent.mkdir()
    joined.write_bytes(b"joined")
    people.people = [Person("3", "张新名", None, has_device=True)]
    await renderer.once()
    assert list((tmp_path / "spoken").rglob("*.alaw")) == [renderer.library.path(name_of("张新名"))]
    assert renderer.library.find(name_of("李家人")) is None


async def test_a_database_that_is_gone_removes_nobody(tmp_path: Path) -> None:
    people, reader = People(FAMILY), Reader()
    renderer = make(tmp_path, people, reader)
    await renderer.once()
    people.fails = StoreUnavailable("locked")
    assert not await renderer.once()
    assert renderer.progress.state == "no_database"
    assert renderer.library.find(name_of("李家人"))


async def test_what_cannot_be_said_is_passed_over_and_not_tried_for_ever(tmp_path: Path) -> None:
    people, reader = People(FAMILY, DEVICE), Reader()
    reader.refuses = {"张设备"}
    renderer = make(tmp_path, people, reader, addresses=False)
    assert await renderer.once()
    assert await renderer.once()
    assert reader.said == ["张设备", "李家人"]
    assert renderer.progress.unspeakable == 1


async def test_somebody_new_with_a_device_goes_before_those_who_wait(tmp_path: Path) -> None:
    people, reader = People(ALONE, FAMILY), Reader()
    renderer = make(tmp_path, people, reader, addresses=False)

    def arrives() -> None:
        people.people.append(DEVICE)
        renderer.wake()

    reader.on_say["李家人"] = arrives
    assert await renderer.once()
    assert reader.said == ["李家人", "张设备", "王独"]


async def test_a_full_disk_stops_it_before_it_hurts_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "KEEP_FREE", 10**18)
    reader = Reader()
    renderer = make(tmp_path, People(FAMILY), reader)
    assert not await renderer.once()
    assert (renderer.progress.state, reader.said) == ("disk_full", [])


async def test_between_two_names_it_rests_as_long_as_it_worked(tmp_path: Path) -> None:
    class Slow(Reader):
        async def say(self, text: str) -> bytes:
            await asyncio.sleep(0.1)
            return await super().say(text)

    renderer = make(tmp_path, People(FAMILY, DEVICE), Slow(), addresses=False)
    renderer.share = 0.5
    began = time.monotonic()
    await renderer.once()
    assert time.monotonic() - began >= 0.39


async def test_it_looks_again_when_people_change_and_gives_its_memory_back(tmp_path: Path) -> None:
    people, reader = People(FAMILY), Reader()
    renderer = make(tmp_path, people, reader, addresses=False)
    task = asyncio.create_task(renderer.run())
    await until(lambda: reader.rested == 1)
    people.people.append(DEVICE)
    renderer.wake()
    await until(lambda: reader.rested == 2)
    task.cancel()
    assert reader.said == ["李家人", "张设备"]


@pytest.fixture
def sounds_dir(tmp_path: Path) -> Path:
    install_prompts(PROMPTS / "zh_CN", None, tmp_path / "sounds")
    return tmp_path / "sounds"


def calls(tmp_path: Path, sounds_dir: Path, people: People) -> SpokenNames:
    return SpokenNames(Library(tmp_path / "spoken"), sounds_dir, people)


async def test_the_family_hears_the_name_between_our_words(tmp_path: Path, sounds_dir: Path) -> None:
    Library(tmp_path / "spoken").put(name_of("李家人"), b"NAME" * 1000)
    spoken = calls(tmp_path, sounds_dir, People(FAMILY))
    for speech, ending in ((False, "choose"), (True, "choose_say")):
        prompt = await spoken.family_alarm("2", speech=speech)
        heard = Path(f"{prompt}.alaw").read_bytes()
        parts = [(PROMPTS / f"zh_CN/family/{name}.alaw").read_bytes() for name in ("opening", ending)]
        assert heard.startswith(parts[0])
        assert heard.endswith(parts[1])
        between = heard[len(parts[0]) : -len(parts[1])]
        assert between.strip(b"\xd5") == b"NAME" * 1000
        assert len(between) == 4000 + 2 * 3200
        assert Path(f"{prompt}.alaw").stat().st_mode & 0o777 == 0o600


async def test_the_duty_phone_hears_name_and_address(tmp_path: Path, sounds_dir: Path) -> None:
    library = Library(tmp_path / "spoken")
    spoken = calls(tmp_path, sounds_dir, People(DEVICE))
    library.put(name_of("张设备"), b"NAME")
    first = Path(f"{await spoken.duty_alarm('3')}.alaw").read_bytes()
    library.put("住址是火路，三号。", b"ADDRESS")
    both = Path(f"{await spoken.duty_alarm('3')}.alaw").read_bytes()
    assert b"NAME" in first
    assert b"ADDRESS" in both
    assert both.endswith((PROMPTS / "zh_CN/duty/press_one.alaw").read_bytes())


@pytest.mark.parametrize("trouble", ["no incident", "no recording", "unspeakable", "no prompts", "database", "slow"])
async def test_whatever_is_missing_the_general_words_are_heard_at_once(
    tmp_path: Path, sounds_dir: Path, trouble: str
) -> None:
    people = People(FAMILY)
    if trouble != "no recording":
        Library(tmp_path / "spoken").put(name_of("李家人"), b"NAME")
    if trouble == "no incident":
        people.people = []
    if trouble == "unspeakable":
        people.people = [Person("2", "Smith", None)]
    if trouble == "no prompts":
        (sounds_dir / "family" / "opening.alaw").unlink()
    if trouble == "database":
        people.fails = StoreUnavailable("locked")
    if trouble == "slow":
        people.delay_s = 5
    spoken = calls(tmp_path, sounds_dir, people)
    began = time.monotonic()
    assert await spoken.family_alarm("2") == "family/alarm"
    assert await spoken.duty_alarm("9") == "duty/emergency"
    assert time.monotonic() - began < 2


async def test_a_centre_that_recorded_the_general_words_is_heard_in_its_own_voice(tmp_path: Path) -> None:
    (tmp_path / "own" / "family").mkdir(parents=True)
    (tmp_path / "own" / "family" / "alarm.alaw").write_bytes(b"theirs")
    install_prompts(PROMPTS / "zh_CN", tmp_path / "own", tmp_path / "sounds")
    Library(tmp_path / "spoken").put(name_of("李家人"), b"NAME")
    spoken = calls(tmp_path, tmp_path / "sounds", People(FAMILY))
    assert await spoken.family_alarm("2") == "family/alarm"


# What `ivr.prompts.say` says on its pipes, without a model: each line of behaviour is one text.
SERVANT = """
import json, sys, time
def answer(audio=b"", why=""):
    sys.stdout.buffer.write(json.dumps({"bytes": len(audio), "why": why}).encode() + b"\\n" + audio); sys.stdout.flush()
answer()
for line in sys.stdin:
    text = json.loads(line)["text"]
    if text == "die": sys.exit(1)
    if text == "rubbish": print("hello", flush=True)
    elif text == "hang": time.sleep(60)
    elif text == "no": answer(why="unknown character")
    else: answer(text.encode())
"""


def servant(tmp_path: Path, code: str = SERVANT) -> Synthesiser:
    import sys

    script = tmp_path / "servant.py"
    script.write_text(code)
    voice = Synthesiser(Path(sys.executable), tmp_path)
    voice._command = [sys.executable, str(script)]
    return voice


async def test_a_synthesiser_that_dies_talks_rubbish_or_hangs_is_started_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ivr.voice import synthesiser

    async with servant(tmp_path) as voice:
        assert await voice.say("王桂芳") == "王桂芳".encode()
        for trouble in ("die", "rubbish", "hang"):
            monkeypatch.setattr(synthesiser, "SAY_S", 0.5 if trouble == "hang" else 10)
            with pytest.raises(VoiceMissing) as failed:
                await voice.say(trouble)
            assert trouble not in str(failed.value)
            monkeypatch.setattr(synthesiser, "SAY_S", 10)
            assert await voice.say("李四") == "李四".encode()
        with pytest.raises(Unspeakable):
            await voice.say("no")
        await voice.rest()
        assert await voice.say("李四") == "李四".encode()
        process = voice._process
    assert process is not None
    assert process.returncode is not None, "nothing is left running"


async def test_a_synthesiser_that_does_not_start_is_missing(tmp_path: Path) -> None:
    async with servant(tmp_path, "raise SystemExit(3)") as voice:
        with pytest.raises(VoiceMissing):
            await voice.say("王桂芳")


def test_a_named_python_that_is_not_there_means_no_names(tmp_path: Path) -> None:
    assert find_voice(Settings(data_dir=tmp_path, voice_python="off")) is None
