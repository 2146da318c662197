"""Which model is used: the one named in the settings, else an installed one, else the small one that is carried."""

from __future__ import annotations

from pathlib import Path

from ivr.settings import Settings

CARRIED = Path(__file__).with_name("model")


def is_model(folder: Path) -> bool:
    """Both layouts of Vosk's models: `am/final.mdl`, and the older one with `final.mdl` at the top."""
    return (folder / "am" / "final.mdl").is_file() or (folder / "final.mdl").is_file()


def find_model(settings: Settings) -> Path | None:
    """None: the system works with keys and people. A named model that is not there is not replaced by another."""
    if settings.speech_model_dir is not None:
        return settings.speech_model_dir if is_model(settings.speech_model_dir) else None
    installed = settings.data_dir.resolve() / "models"
    if installed.is_dir():
        # The newest installation is the one that somebody chose last.
        for folder in sorted(installed.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True):
            if is_model(folder):
                return folder
    return CARRIED if is_model(CARRIED) else None
