"""The outside programs this system starts: Asterisk, and SIPp and Chromium for the tests.

A good one on the machine is used; otherwise it is fetched from Debian without root into `tools_dir`
and started with the loader and libraries of its own tree. Standard library only: `make test` runs this
before anything else is sure to work.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ivr.asterisk.debian_mirror import find_mirrors
from ivr.asterisk.debtree import Recipe, ensure_tree, read_stamp, version_numbers
from ivr.asterisk.progress import Progress, console_progress, silent
from ivr.errors import PlainError, SetupError

ASTERISK_FLOOR = (22, 10, 1)
"""The security and stability floor; below it unauthenticated requests can silence SIP."""

ASTERISK = Recipe("asterisk", ("asterisk",), "sid", 700, floors={"asterisk": ASTERISK_FLOOR})
SIPP = Recipe("sipp", ("sip-tester",), "sid", 400)
# Chromium starts itself again by /proc/self/exe, so the loader trick of the other trees cannot work: it
# runs on the host's loader and C library, hence an old suite and no libc6. Headless needs no renderer.
CHROMIUM = Recipe(
    "chromium",
    ("chromium-headless-shell", "fonts-wqy-zenhei"),
    "bookworm",
    1000,
    leave_out=("libc6_", "libllvm15_", "libgl1-mesa-dri_"),
)
# For `make chaos` alone: loaded into programs of the host and of the other trees, hence an old suite and no libc6.
FAKETIME = Recipe("faketime", ("libfaketime",), "bookworm", 50, leave_out=("libc6_",))
RECIPES = {recipe.name: recipe for recipe in (ASTERISK, SIPP, CHROMIUM, FAKETIME)}

FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{root}/var/cache/fontconfig</cachedir>
<alias><family>sans-serif</family>
<prefer><family>DejaVu Sans</family><family>WenQuanYi Zen Hei</family></prefer></alias>
<alias><family>monospace</family>
<prefer><family>DejaVu Sans Mono</family><family>WenQuanYi Zen Hei Mono</family></prefer></alias>
</fontconfig>
"""


class ToolSettings(Protocol):
    """The part of `Settings` needed here."""

    @property
    def tools_dir(self) -> Path: ...
    @property
    def asterisk_binary(self) -> str: ...
    @property
    def debian_mirror(self) -> str: ...


@dataclass(frozen=True)
class AsteriskProgram:
    """How to start one Asterisk; add `-C CONF` and what it shall do."""

    argv: list[str]
    version: tuple[int, ...]
    modules_dir: Path
    data_dir: Path

    def serve(self, config: Path) -> list[str]:
        """Run in the foreground, without colours: its output goes to a log."""
        return [*self.argv, "-C", str(config), "-f", "-n"]

    def remote(self, config: Path, command: str) -> list[str]:
        """One CLI command to the running one."""
        return [*self.argv, "-C", str(config), "-rx", command]


def ensure(tree: str, settings: ToolSettings, progress: Progress = silent) -> Path:
    """Fetch one of `RECIPES` if it is not there; return its folder."""
    root = ensure_tree(RECIPES[tree], settings.tools_dir, find_mirrors(settings.debian_mirror), progress)
    if tree == "chromium":
        fonts = root / "fonts.conf"
        text = FONTS.format(root=root)
        if not fonts.is_file() or fonts.read_text() != text:  # also when the folder was moved
            fonts.write_text(text)
    return root


def asterisk_command(settings: ToolSettings, progress: Progress = silent) -> AsteriskProgram:
    """The named Asterisk, else the system's if it is good enough, else the portable one, fetched if need be.

    Raises:
        SetupError: the named one does not run or is below the floor, or none can be fetched.
    """
    program = found_asterisk(settings)
    if program is None:
        ensure("asterisk", settings, progress)
        program = found_asterisk(settings)
    assert program is not None  # a tree that `ensure` returns has a stamp
    return program


def found_asterisk(settings: ToolSettings) -> AsteriskProgram | None:
    """The Asterisk this machine has now; fetches nothing.

    Raises:
        SetupError: the one named by `asterisk_binary` does not run or is below the floor.
    """
    if settings.asterisk_binary:
        program = _installed(settings.asterisk_binary)
        if program is None:
            raise SetupError(
                f"设置 asterisk_binary 指定的 {settings.asterisk_binary} 无法运行",
                f"setting asterisk_binary names {settings.asterisk_binary}, which does not run",
            )
        if program.version < ASTERISK_FLOOR:
            got, floor = _dotted(program.version), _dotted(ASTERISK_FLOOR)
            raise SetupError(
                f"{settings.asterisk_binary} 的版本是 {got}，低于安全下限 {floor}",
                f"{settings.asterisk_binary} is version {got}, below the security floor {floor}",
            )
        return program
    system = shutil.which("asterisk", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    program = _installed(system) if system else None
    if program is not None and program.version >= ASTERISK_FLOOR:
        return program
    root = settings.tools_dir.resolve() / ASTERISK.name
    versions = read_stamp(root, ASTERISK)
    if versions is None:
        return None
    libraries = root / "usr" / "lib" / _triplet()
    return AsteriskProgram(
        argv=_own_loader(root, "usr/sbin/asterisk"),
        version=version_numbers(versions["asterisk"]),
        modules_dir=libraries / "asterisk" / "modules",
        data_dir=root / "usr" / "share" / "asterisk",
    )


def sipp_command(settings: ToolSettings, progress: Progress = silent) -> list[str]:
    """Always the portable SIPp: Debian 12's own loses RTP ports and counts false failures."""
    return _own_loader(ensure("sipp", settings, progress), "usr/bin/sipp")


def chromium_command(settings: ToolSettings, progress: Progress = silent) -> tuple[list[str], dict[str, str]]:
    """Program with its flags, and what to add to the environment."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu"]
    for name in ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"):
        path = shutil.which(name)
        if path and _says(path, "--version", r"Chrom"):  # Ubuntu's chromium-browser only says to install a snap
            return [path, *flags], {}
    root = ensure("chromium", settings, progress)
    triplet = _triplet()
    folders = [f"usr/lib/{triplet}", f"lib/{triplet}", "usr/lib/chromium", f"usr/lib/{triplet}/pulseaudio"]
    env = {
        "LD_LIBRARY_PATH": ":".join(str(root / folder) for folder in folders),
        "FONTCONFIG_FILE": str(root / "fonts.conf"),
    }
    return [str(root / "usr/lib/chromium/chromium-headless-shell"), *flags], env


def faketime_library(settings: ToolSettings, progress: Progress = silent) -> Path:
    """What `LD_PRELOAD` names, so that a test can step the clock of what it starts, and nobody else's."""
    root = ensure("faketime", settings, progress)
    return root / "usr" / "lib" / _triplet() / "faketime" / "libfaketimeMT.so.1"


def _own_loader(root: Path, program: str) -> list[str]:
    """Start a program of a tree with the C library of that tree, whatever the host's is."""
    loaders = [*root.glob("usr/lib64/ld-linux-*.so.*"), *root.glob("usr/lib/ld-linux-*.so.*")]
    loaders += root.glob("usr/lib/*/ld-linux-*.so.*")
    if not loaders or not (root / program).is_file():
        raise SetupError(
            f"{root} 不完整，请删除该目录后重试", f"{root} is not complete: remove that folder and try again"
        )
    return [str(loaders[0]), "--library-path", str(root / "usr" / "lib" / _triplet()), str(root / program)]


def _triplet() -> str:
    return f"{platform.machine()}-linux-gnu"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _says(program: str, flag: str, pattern: str) -> re.Match[str] | None:
    """Run it rather than trust its name; None when it does not run or says something else."""
    try:
        done = subprocess.run([program, flag], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return re.search(pattern, done.stdout) if done.returncode == 0 else None


def _installed(binary: str) -> AsteriskProgram | None:
    """An Asterisk of the machine; None when it does not run or is not laid out as packages do."""
    said = _says(binary, "-V", r"Asterisk (?:certified[/-])?(\d+(?:\.\d+)+)")
    if said is None:
        return None
    prefix = Path(shutil.which(binary) or binary).resolve().parent.parent
    modules = [prefix / lib / "asterisk" / "modules" for lib in (f"lib/{_triplet()}", "lib64", "lib")]
    data = [prefix / "share" / "asterisk", Path("/var/lib/asterisk")]
    return AsteriskProgram(
        argv=[binary],
        version=version_numbers(said.group(1)),
        modules_dir=next((p for p in modules if p.is_dir()), modules[0]),
        data_dir=next((p for p in data if p.is_dir()), data[0]),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m ivr.asterisk.portable ensure sipp chromium`: fetch now what a later step needs."""
    from ivr.settings import SettingsError, load_settings

    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] != ["ensure"] or not words[1:] or set(words[1:]) - set(RECIPES):
        print(f"usage: python -m ivr.asterisk.portable ensure {'|'.join(RECIPES)} …", file=sys.stderr)
        return 2
    getters = {
        "asterisk": asterisk_command,
        "sipp": sipp_command,
        "chromium": chromium_command,
        "faketime": faketime_library,
    }
    try:
        settings = load_settings()
        for name in words[1:]:
            getters[name](settings, console_progress())
    except (PlainError, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
