"""The catalogue of prompts: what is said, to whom and when. Standard library only.

`prompts/catalogue.toml` holds one table per prompt. The text is what is *spoken*: digits are
written as a person says them (12349 is 幺二三四九), so that text, audio and ear agree.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

ID = re.compile(r"[a-z0-9_]+/[a-z0-9_]+")
UNSPEAKABLE = re.compile(r"[0-9A-Za-z０-９]+")
HAN = re.compile(r"[\u3400-\u9fff]")

DEFAULT_VOICE = "zf_xiaoxiao"
DEFAULT_SPEED = 0.83
"""Slower than talk: for an eighty-year-old on a bad line."""
DEFAULT_PAUSE_S = 0.35
DEMO_FOLDER = "demo"
"""Voices of the demonstration's stand-in people; never installed into a centre's sounds folder."""


class CatalogueError(Exception):
    """The catalogue is wrong; the text names the file, the prompt and the field."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing the hotline says."""

    id: str
    """Folder and name, as Asterisk plays it: `emergency/help_is_coming`."""
    text: str
    """Chinese, exactly as spoken."""
    english: str
    """Short translation, for people who maintain the system."""
    who: str
    """Who hears it."""
    when: str
    """At which moment."""
    speed: float = DEFAULT_SPEED
    """Pace of the voice; 1.0 is ordinary talk."""
    pause_s: float = DEFAULT_PAUSE_S
    """A pause inside a sentence (a comma) lasts at least this long."""
    voice: str = DEFAULT_VOICE
    """Kokoro voice, or the mean of two (`zf_xiaobei+zm_yunyang`)."""

    @property
    def characters(self) -> int:
        """Spoken characters (one syllable each), without punctuation."""
        return len(HAN.findall(self.text))

    def audio_path(self, prompts_dir: Path) -> Path:
        """Where the audio lies below `prompts/`."""
        folder = prompts_dir if self.id.startswith(f"{DEMO_FOLDER}/") else prompts_dir / "zh_CN"
        return folder / f"{self.id}.alaw"


KNOWN = {field.name: field for field in fields(Prompt) if field.name != "id"}
LIMITS = {"speed": (0.6, 1.2), "pause_s": (0.0, 2.0)}


def load_catalogue(path: Path) -> dict[str, Prompt]:
    """Read and check the catalogue; prompts by id, in the order of the file."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{path}: is not valid TOML: {error}") from error
    if not tables:
        raise CatalogueError(f"{path}: holds no prompt")
    return {prompt_id: _prompt(path, prompt_id, table) for prompt_id, table in tables.items()}


def _prompt(path: Path, prompt_id: str, table: object) -> Prompt:
    where = f"{path}: [{prompt_id}]"
    if not ID.fullmatch(prompt_id):
        raise CatalogueError(f'{where}: id: expected "folder/name" in small letters, digits and _')
    if not isinstance(table, dict):
        raise CatalogueError(f'{where}: expected a table, written ["{prompt_id}"]')
    for name in table.keys() - KNOWN.keys():
        raise CatalogueError(f"{where}: {name}: unknown field; known are {', '.join(KNOWN)}")
    for name, field in KNOWN.items():
        if name not in table:
            if field.default is MISSING:
                raise CatalogueError(f"{where}: {name}: missing")
        elif name in LIMITS:
            _check_number(where, name, table[name])
        elif not isinstance(table[name], str) or not table[name].strip():
            raise CatalogueError(f"{where}: {name}: expected a text, got {table[name]!r}")
    prompt = Prompt(id=prompt_id, **table)
    if found := UNSPEAKABLE.search(prompt.text):
        raise CatalogueError(f"{where}: text: {found.group()!r} must be written as it is spoken (12349: 幺二三四九)")
    if not prompt.characters:
        raise CatalogueError(f"{where}: text: holds no Chinese character")
    return prompt


def _check_number(where: str, name: str, value: object) -> None:
    low, high = LIMITS[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise CatalogueError(f"{where}: {name}: expected a number from {low} to {high}, got {value!r}")
