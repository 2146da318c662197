"""Which Vosk model is in use: the one the centre names, else the one it installed, else the one the project carries.

Speech only ever helps, so a named model that cannot be used is complained of and the next in this order is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ivr.errors import PlainError
from ivr.settings import Settings

SETTING, INSTALLED, CARRIED = "setting", "installed", "carried"
NO_MODEL = "没有语音识别模型，用按键和人工运行 no speech model: the system works with keys and people"
CARRIED_MODEL = Path(__file__).with_name("model")
CHOSEN = "chosen"
"""File in `models_dir` that names the folder installed last; a model copied there by hand needs none."""
SECOND_EAR = "second-ear"
"""Folder beside the Vosk models with weights of another kind (second_ear.py); it is none of theirs."""


class BadModel(PlainError):
    """This folder is not a Vosk model, and why."""


@dataclass(frozen=True, slots=True)
class FoundModel:
    path: Path
    origin: str
    """SETTING, INSTALLED or CARRIED."""
    takes_grammar: bool
    """False for a big model with its graph made ahead (HCLG.fst): it only dictates, a grammar is ignored by Vosk."""

    @property
    def name(self) -> str:
        return self.path.name


def models_dir(settings: Settings) -> Path:
    """Where `ivr model install` puts models, one folder each."""
    return settings.data_dir.resolve() / "models"


def find_model(settings: Settings) -> FoundModel | None:
    """The model to load, or None: keys and people."""
    return search(settings)[0]


def search(settings: Settings) -> tuple[FoundModel | None, list[BadModel]]:
    """The model to load, and what is wrong with those that come before it."""
    bad: list[BadModel] = []
    for origin, path in _candidates(settings):
        try:
            return examine_model(path, origin), bad
        except BadModel as problem:
            bad.append(problem)
    return None, bad


def _candidates(settings: Settings) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    if settings.speech_model_dir is not None:
        found.append((SETTING, settings.speech_model_dir.expanduser().resolve()))
    folder = models_dir(settings)
    chosen = chosen_model(folder)
    if chosen:
        found.append((INSTALLED, folder / chosen))
    if folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        others = [name for name in others if name != SECOND_EAR]
        found += [(INSTALLED, folder / name) for name in others if name != chosen]
    if CARRIED_MODEL.is_dir():
        found.append((CARRIED, CARRIED_MODEL))
    return found


def chosen_model(folder: Path) -> str:
    """Name of the model installed last; empty when none was, or when the note names no plain folder."""
    try:
        name = (folder / CHOSEN).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return name if name and name == Path(name).name and not name.startswith(".") else ""


def examine_model(path: Path, origin: str = SETTING) -> FoundModel:
    """Look at the layout, as libvosk does when it loads (`am/`, `conf/`, `graph/`, or all files in one folder).

    Raises:
        BadModel: what is missing. A file that is there but damaged shows only when it is loaded (`ivr.speech.trial`).
    """
    if not path.is_dir():
        raise BadModel(f"语音模型目录 {path} 不存在", f"there is no speech model folder {path}")
    graph = path / "graph"
    if (path / "am").is_dir():
        needed = [path / "am" / "final.mdl", path / "conf" / "mfcc.conf"]
    else:
        graph, needed = path, [path / "final.mdl", path / "mfcc.conf"]
    takes_grammar = (graph / "HCLr.fst").is_file() and (graph / "Gr.fst").is_file()
    needed += [graph / "HCLr.fst", graph / "Gr.fst"] if takes_grammar else [graph / "HCLG.fst"]
    for file in needed:
        if not file.is_file() or not file.stat().st_size:
            what = file.relative_to(path)
            raise BadModel(f"{path} 不是完整的 Vosk 模型：缺少 {what}", f"{path} is not a whole Vosk model: no {what}")
    return FoundModel(path, origin, takes_grammar)
