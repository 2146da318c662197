"""Where Debian packages come from on this machine, and the key that proves them.

The host's own apt configuration is asked first, so that a centre with a mirror of its own
(or with no way out to the internet) needs no setting of ours.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import SetupError

# Where Ubuntu (python3-apt) keeps Debian's own address; we name no server ourselves.
APT_TEMPLATE = Path("/usr/share/python-apt/templates/Debian.info")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Mirrors:
    """Base addresses without a slash at the end."""

    main: str
    security: str


def find_mirrors(setting: str = "", *, etc_apt: Path = Path("/etc/apt"), template: Path = APT_TEMPLATE) -> Mirrors:
    """The setting wins, then the host's sources, then what the host's apt knows of Debian.

    Raises:
        SetupError: none of them names a Debian mirror.
    """
    if setting:
        return _with_security(setting.rstrip("/"))
    uris = [uri.rstrip("/") for uri in _host_uris(etc_apt)]
    main = next((uri for uri in uris if uri.endswith("/debian")), None) or _known_to_apt(template)
    if main is None:
        raise SetupError(
            "这台机器的 apt 没有 Debian 镜像，请用 IVR_DEBIAN_MIRROR 指定一个（以 /debian 结尾的地址）",
            "this machine's apt names no Debian mirror: set IVR_DEBIAN_MIRROR to one (an address ending in /debian)",
        )
    security = next((uri for uri in uris if uri.endswith("/debian-security")), None)
    return Mirrors(main, security) if security else _with_security(main)


def _known_to_apt(template: Path) -> str | None:
    try:
        found = re.search(r"^BaseURI:\s*(\S+/debian)/?\s*$", template.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return None
    return found[1] if found else None


def _with_security(main: str) -> Mirrors:
    # Mirrors lay the two archives side by side by convention.
    return Mirrors(main, re.sub(r"/debian$", "", main) + "/debian-security")


def _host_uris(etc_apt: Path) -> Iterator[str]:
    """Both ways of writing sources: one line each (`.list`) and fields (`.sources`)."""
    files = [etc_apt / "sources.list", *sorted(etc_apt.glob("sources.list.d/*"))]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if file.suffix == ".list":
            yield from re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+://\S+)", text, re.MULTILINE)
        elif file.suffix == ".sources":
            for line in re.findall(r"^URIs:\s*(.+)$", text, re.MULTILINE | re.IGNORECASE):
                yield from line.split()


def find_keyring(work: Path) -> Path:
    """Debian's archive keys: the host's own file, else out of the host's package, without root.

    Ubuntu has the package `debian-archive-keyring`, signed by Ubuntu, so the chain of trust stays closed.
    """
    if KEYRING.is_file():
        return KEYRING
    fetched = work / "keyring" / KEYRING.relative_to("/")
    if fetched.is_file():
        return fetched
    folder = work / "keyring"
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::State::Lists={folder}/lists", "-o", "APT::Sandbox::User="]
    try:
        subprocess.run(["apt-get", *options, "update"], cwd=folder, check=True, capture_output=True)
        subprocess.run(
            ["apt-get", *options, "download", "debian-archive-keyring"],
            cwd=folder,
            check=True,
            capture_output=True,
        )
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pass
    if not fetched.is_file():
        raise SetupError(
            "缺少 Debian 软件源的签名密钥，请先安装：apt-get install debian-archive-keyring",
            "Debian's archive keys are missing; install them first: apt-get install debian-archive-keyring",
        )
    return fetched
