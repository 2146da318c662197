"""How the files of one private Asterisk come to be: rendered from templates, for their owner's eyes only."""

from __future__ import annotations

import os
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def templates_in(folder: Path) -> Environment:
    # Configuration files, not HTML: nothing to escape, but an unknown name must be an error.
    return Environment(
        loader=FileSystemLoader(folder),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # noqa: S701
    )


def write_private(path: Path, text: str) -> None:
    """Mode 0600, and readers see the file before or after the change, never half of it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def link_asterisk_data(data: Path, asterisk_data_dir: Path) -> None:
    """Asterisk's own documentation (its option parser needs it) beside our sounds."""
    for entry in asterisk_data_dir.iterdir() if asterisk_data_dir.is_dir() else ():
        if entry.name in ("sounds", "moh", "agi-bin", "keys"):
            continue
        link = data / entry.name
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(entry)
