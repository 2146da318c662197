"""What workers and hospitals hear about an elder, from real prompts and stand-in recordings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ivr.domain.people import Person
from ivr.endpoints import is_endpoint
from ivr.importing import cells
from ivr.importing.report import Bad
from ivr.prompts.install import install_prompts
from ivr.services.ports import StoreUnavailable
from ivr.voice import renderer as rendering
from ivr.voice.helpers import SpokenForHelpers
from ivr.voice.library import Library
from ivr.voice.renderer import Renderer
from ivr.voice.wording import access_sentence, medical_sentence, relative_sentence, spoken_medical
from tests.doubles.named_people import DEVICE, People, Reader, name_of

PROMPTS = Path(__file__).parents[2] / "prompts"
ILL = Person(
    "7", "张设备", "火路3号", has_device=True, medical="高血压；青霉素过敏", access="钥匙在302室邻居家",
    relative=("女儿", "13900000001"), heard=("distress.fall",),
)  # fmt: skip
ADDRESS, MEDICAL = "住址是火路，三号。", "病情和用药：高血压，青霉素过敏。"
DOOR, SAID, DAUGHTER = (
    "进门的办法：钥匙在三零二室邻居家。",
    "老人说过：摔倒。",
    "女儿的电话是，幺三九，零零零零，零零零幺。",
)


@pytest.fixture
def sounds_dir(tmp_path: Path) -> Path:
    install_prompts(PROMPTS / "zh_CN", None, tmp_path / "sounds")
    return tmp_path / "sounds"


def words(prompt: str) -> bytes:
    return Path(f"{prompt}.alaw").read_bytes()


def ours(name: str) -> bytes:
    return (PROMPTS / "zh_CN" / f"{name}.alaw").read_bytes()


async def test_a_worker_hears_who_and_where_and_no_illness(tmp_path: Path, sounds_dir: Path) -> None:
    library = Library(tmp_path / "spoken")
    spoken = SpokenForHelpers(library, sounds_dir, People(ILL))
    assert await spoken.worker_alarm("7") == "worker/alarm"
    assert await spoken.worker_alarm("7", speech=True) == "worker/alarm_say"
    for text, audio in ((name_of("张设备"), b"NAME"), (ADDRESS, b"ADDRESS"), (DOOR, b"DOOR"), (MEDICAL, b"MEDICAL")):
        library.put(text, audio)
    for speech, ending in ((False, "worker/choose"), (True, "worker/choose_say")):
        heard = words(await spoken.worker_alarm("7", speech=speech))
        assert heard.startswith(ours("worker/opening"))
        assert heard.endswith(ours(ending))
        assert heard.index(b"NAME") < heard.index(b"ADDRESS") < heard.index(b"DOOR")
        assert b"MEDICAL" not in heard


async def test_a_hospital_hears_all_that_is_recorded(tmp_path: Path, sounds_dir: Path) -> None:
    library = Library(tmp_path / "spoken")
    spoken = SpokenForHelpers(library, sounds_dir, People(ILL))
    library.put(MEDICAL, b"MEDICAL")
    assert await spoken.hospital_details("7") == "hospital/ask_centre", "illnesses without a name are nobody's"
    library.put(name_of("张设备"), b"NAME")
    heard = words(await spoken.hospital_details("7"))
    assert heard.startswith(ours("hospital/about"))
    assert heard.endswith(ours("hospital/choose"))
    assert heard.index(b"NAME") < heard.index(b"MEDICAL")
    for text, audio in ((DOOR, b"DOOR"), (SAID, b"SAID"), (DAUGHTER, b"DAUGHTER")):
        library.put(text, audio)
    heard = words(await spoken.hospital_details("7"))
    places = [heard.index(part) for part in (b"NAME", b"DOOR", b"MEDICAL", b"SAID", b"DAUGHTER")]
    assert places == sorted(places)


async def test_two_people_of_one_name_are_not_taken_for_each_other(tmp_path: Path, sounds_dir: Path) -> None:
    library = Library(tmp_path / "spoken")
    other = Person("8", "张设备", "水路9号")
    spoken = SpokenForHelpers(library, sounds_dir, People(ILL, other))
    for text, audio in ((name_of("张设备"), b"NAME"), (ADDRESS, b"FIRE"), ("住址是水路，九号。", b"WATER")):
        library.put(text, audio)
    one, two = await spoken.worker_alarm("7"), await spoken.worker_alarm("8")
    assert b"FIRE" in words(one)
    assert b"WATER" in words(two)


@pytest.mark.parametrize("trouble", ["nobody", "database", "slow", "no prompts"])
async def test_whatever_is_missing_the_general_words_are_heard_at_once(
    tmp_path: Path, sounds_dir: Path, trouble: str
) -> None:
    library = Library(tmp_path / "spoken")
    library.put(name_of("张设备"), b"NAME")
    people = People() if trouble == "nobody" else People(ILL)
    people.fails = StoreUnavailable() if trouble == "database" else None
    people.delay_s = 60.0 if trouble == "slow" else 0.0
    spoken = SpokenForHelpers(library, tmp_path / "nothing" if trouble == "no prompts" else sounds_dir, people)
    async with asyncio.timeout(3):
        assert await spoken.worker_alarm("7") == "worker/alarm"
        assert await spoken.hospital_details("7") == "hospital/ask_centre"


@pytest.mark.parametrize(
    ("medical", "said"),
    [
        ("冠心病，2019 年支架；每日阿司匹林 100 mg", "冠心病，二零一九年支架，每日阿司匹林一百毫克"),
        ("胰岛素 0.5ml，早晚", "胰岛素零点五毫升，早晚"),
        ("青霉素过敏。", "青霉素过敏"),
        ("COPD；吸氧", None),  # half of it would be worse than none
        ("血压160mmHg", None),
        ("$(reboot)", None),
        ("病" * 91, None),
        ("；。", None),
        (None, None),
    ],
)
def test_illnesses_are_said_whole_or_not_at_all(medical: str | None, said: str | None) -> None:
    assert spoken_medical(medical) == said
    assert medical_sentence(medical) == (f"病情和用药：{said}。" if said else None)


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ("门禁 1234#，钥匙在物业", "门禁幺二三四号，钥匙在物业"),
        ("女儿有钥匙", "女儿有钥匙"),
        ("密码 ask 女儿", None),
        ("", None),
        (None, None),
    ],
)
def test_how_to_get_in_is_said_whole_or_not_at_all(access: str | None, said: str | None) -> None:
    assert access_sentence(access) == (f"进门的办法：{said}。" if said else None)


@pytest.mark.parametrize("relative", [None, ("女儿", "1390000000x"), ("daughter", "13900000001"), ("女儿", "1" * 16)])
def test_whom_to_ring_is_left_out_where_it_cannot_be_read(relative: tuple[str, str] | None) -> None:
    assert relative_sentence(relative) is None


async def test_illnesses_are_recorded_last_and_only_of_who_has_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "KEEP_FREE", 0)
    others = Person("9", "李别人", None, medical="糖尿病")
    for wanted in (True, False):
        reader = Reader()
        library = Library(tmp_path / f"spoken-{wanted}")
        renderer = Renderer(library, People(ILL, DEVICE, others), reader, tmp_path / "s.json", True, medical=wanted)
        renderer.share = 1.0
        assert await renderer.once()
        assert (reader.asked[-2:] == [MEDICAL, DAUGHTER]) is wanted
        assert (SAID in reader.asked) is wanted
        assert DOOR in reader.asked
        assert "糖尿病" not in str(reader.asked)


@pytest.mark.parametrize(
    ("text", "fine"),
    [
        ("https://h.example/alarm?x=1", True),
        ("http://127.0.0.1:8080/alarm", True),
        ("http://h.example/alarm", False),
        ("https://", False),
        ("https://u:p@h.example/", False),
        ("https://h.example:99999/", False),
        ("https://h.example/\r\nX: y", False),
        ("https://h.example/#part", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_an_endpoint_is_an_https_address(text: str, fine: bool) -> None:
    assert is_endpoint(text) is fine
    if fine or not text:
        assert cells.endpoint(text) == (text or None)
    else:
        with pytest.raises(Bad):
            cells.endpoint(text)


def test_plain_http_elsewhere_only_when_it_was_asked_for() -> None:
    assert is_endpoint("http://h.example/alarm", insecure=True)
    assert not is_endpoint("ftp://h.example/alarm", insecure=True)


def test_a_push_secret_is_long_enough() -> None:
    assert cells.push_secret("s" * 16) == "s" * 16
    assert cells.push_secret("") is None
    for wrong in ("short", "s" * 201):
        with pytest.raises(Bad):
            cells.push_secret(wrong)
