"""apt-get with a configuration of our own: no root, host untouched, trouble said in one sentence."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from ivr.errors import SetupError

NO_NETWORK = re.compile(
    r"Temporary failure resolving|Could not resolve|Could not connect|Cannot initiate the connection"
    r"|Connection (?:timed out|refused|failed)|Network is unreachable|Unable to connect|No route to host"
)
NO_SPACE = re.compile(r"No space left on device|enough free space|Disk quota exceeded")
NO_KEY = re.compile(r"NO_PUBKEY|is not signed|signature couldn't be verified|invalid signature", re.IGNORECASE)


def require_tools() -> None:
    """apt-get and dpkg, or say that this is no Debian or Ubuntu."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        raise SetupError(
            "这台机器没有 apt-get/dpkg（不是 Debian 或 Ubuntu），"
            "请自行安装 Asterisk ≥ 22.10.1 并用 IVR_ASTERISK_BINARY 指定",
            "this machine has no apt-get and dpkg (not Debian or Ubuntu): "
            "install Asterisk ≥ 22.10.1 yourself and name it in IVR_ASTERISK_BINARY",
        )


def write_config(work: Path, sources: list[str]) -> Path:
    """A private apt: own sources, lists, cache, and a dpkg status that says nothing is installed."""
    for folder in ("lists/partial", "cache/archives/partial", "empty"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").write_text("")
    (work / "sources.list").write_text("\n".join(sources) + "\n")
    architecture = subprocess.run(
        ["dpkg", "--print-architecture"], check=True, capture_output=True, text=True
    ).stdout.strip()
    lines = [
        f'Dir::Etc::SourceList "{work}/sources.list";',
        f'Dir::Etc::SourceParts "{work}/empty";',
        f'Dir::Etc::Parts "{work}/empty";',
        f'Dir::Etc::Preferences "{work}/empty/preferences";',
        f'Dir::Etc::PreferencesParts "{work}/empty";',
        f'Dir::State::Lists "{work}/lists";',
        f'Dir::State::Status "{work}/status";',
        f'Dir::State::extended_states "{work}/extended_states";',
        f'Dir::Cache "{work}/cache";',
        f'APT::Architecture "{architecture}";',
        'Acquire::Languages "none";',
        'Acquire::Retries "3";',
        # A mirror may lag behind its index's Valid-Until. The signature is still checked, and the
        # version floor guards against old packages being replayed.
        'Acquire::Check-Valid-Until "false";',
        'APT::Sandbox::User "";',
        'APT::Update::Error-Mode "any";',
        *_host_proxies(),
    ]
    config = work / "apt.conf"
    config.write_text("\n".join(lines) + "\n")
    return config


def _host_proxies() -> list[str]:
    """The host's way out (proxy, certificates); everything else of its configuration is left out."""
    try:
        dump = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return re.findall(r'^Acquire::https?::\S+ "[^"\n]+";$', dump, re.MULTILINE)


def run_apt(config: Path, arguments: list[str], on_percent: Callable[[float], None] | None = None) -> None:
    """Run apt-get; on failure raise one clear sentence made from what it said."""
    env = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-q", "-o", "APT::Status-Fd=1", *arguments]
    said: list[str] = []
    with subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            status = re.match(r"dlstatus:\d+:([\d.]+):", line)
            if status is None:
                said.append(line.rstrip())
            elif on_percent is not None:
                on_percent(float(status.group(1)))
    if process.returncode != 0:
        raise explain("\n".join(said))


def explain(said: str) -> SetupError:
    """One sentence for what apt-get or dpkg complained about."""
    if NO_SPACE.search(said):
        return SetupError("磁盘已满，无法下载软件包，请腾出至少 1 GB", "the disk is full: free at least 1 GB")
    if NO_NETWORK.search(said):
        return SetupError(
            "连不上 Debian 软件源，请检查网络，或用 IVR_DEBIAN_MIRROR 指定镜像",
            "the Debian mirror cannot be reached: check the network, or name a mirror in IVR_DEBIAN_MIRROR",
        )
    if NO_KEY.search(said):
        return SetupError(
            "软件源签名无法验证，请更新密钥：apt-get install debian-archive-keyring",
            "the mirror's signature cannot be verified, renew: apt-get install debian-archive-keyring",
        )
    errors = [line for line in said.splitlines() if line.startswith("E:")] or said.splitlines()[-1:] or ["?"]
    return SetupError(f"下载软件包失败：{errors[0]}", f"fetching packages failed: {errors[0]}")
