"""What must be true before anything is started: one of us per data_dir, free ports, free disk."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import StartError
from ivr.settings import Settings

NEEDED_MB = 200


@dataclass(frozen=True)
class PortUse:
    """One port the system will listen on, and the setting that chose it."""

    setting: str
    kind: socket.SocketKind
    host: str
    port: int


def ports_of(settings: Settings, *, demo: bool) -> list[PortUse]:
    """Control ports are on loopback whatever `bind_host` says."""
    udp, tcp, loopback = socket.SOCK_DGRAM, socket.SOCK_STREAM, "127.0.0.1"
    uses = [
        PortUse("sip_port", udp, settings.bind_host, settings.sip_port),
        PortUse("rtp_start", udp, settings.bind_host, settings.rtp_start),
        PortUse("rtp_start", udp, settings.bind_host, settings.rtp_start + 1),
        PortUse("http_port", tcp, settings.bind_host, settings.http_port),
        PortUse("ami_port", tcp, loopback, settings.ami_port),
        PortUse("agi_port", tcp, loopback, settings.agi_port),
        PortUse("speech_port", tcp, loopback, settings.speech_port),
    ]
    if demo:  # the stand-in for the telephone network answers on the trunk's port
        uses += [
            PortUse("trunk_port", udp, settings.trunk_host, settings.trunk_port),
            PortUse("demo_sip_port", udp, loopback, settings.demo_sip_port),
            PortUse("demo_rtp_start", udp, loopback, settings.demo_rtp_start),
        ]
    return uses


def why_not_free(use: PortUse) -> int:
    """0 when the port can be had now, else the errno."""
    family = socket.AF_INET6 if ":" in use.host else socket.AF_INET
    with socket.socket(family, use.kind) as probe:
        if use.kind is socket.SOCK_STREAM:  # else closed connections of the last run would count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((use.host, use.port))
            if use.kind is socket.SOCK_STREAM:
                probe.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def check_ports(settings: Settings, *, demo: bool) -> None:
    """Raises StartError naming the setting and the port."""
    seen: dict[tuple[socket.SocketKind, int], str] = {}
    for use in ports_of(settings, demo=demo):
        other = seen.setdefault((use.kind, use.port), use.setting)
        if other != use.setting:
            raise StartError(
                f"设置 {other} 和 {use.setting} 用了同一个端口 {use.port}",
                f"settings {other} and {use.setting} name the same port {use.port}",
            )
        code = why_not_free(use)
        if code:
            raise StartError(*port_sentence(use, code))


def port_sentence(use: PortUse, code: int) -> tuple[str, str]:
    protocol = "TCP" if use.kind is socket.SOCK_STREAM else "UDP"
    where = f"{use.host}:{use.port}/{protocol}"
    variable = f"IVR_{use.setting.upper()}"
    if code == errno.EADDRINUSE:
        return (
            f"端口 {where}（设置 {use.setting}）已被占用，请停掉占用它的程序或改 {variable}",
            f"port {where} (setting {use.setting}) is in use: stop that program or change {variable}",
        )
    why = os.strerror(code)
    return (
        f"端口 {where}（设置 {use.setting}）无法使用：{why}",
        f"port {where} (setting {use.setting}) cannot be used: {why}",
    )


def check_disk(data_dir: Path, needed_mb: int = NEEDED_MB) -> None:
    """Calls are journalled before they are answered, so a full disk is found here rather than then."""
    free = shutil.disk_usage(data_dir).free // 1_000_000
    if free < needed_mb:
        raise StartError(
            f"磁盘空间不足：{data_dir} 只剩 {free} MB，至少需要 {needed_mb} MB",
            f"not enough disk space: {data_dir} has {free} MB left, at least {needed_mb} MB are needed",
        )


def make_data_dir(settings: Settings) -> Path:
    """Only the owner may look in: secrets, calls and names are inside."""
    folder = settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("run", "log"):
            (folder / name).mkdir(exist_ok=True)
    except OSError as error:
        raise StartError(
            f"无法写入 data_dir {folder}：{error.strerror}", f"cannot write data_dir {folder}: {error.strerror}"
        ) from error
    return folder


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the instance; the kernel lets go of it however this process ends."""
    with (data_dir / "run" / "supervisor.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip() or "?"
            raise StartError(
                f"{data_dir} 已有一套系统在运行（进程 {pid}）", f"a system already runs on {data_dir} (process {pid})"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_running(data_dir: Path) -> bool:
    """Whether a supervisor holds this instance now."""
    try:
        with (data_dir / "run" / "supervisor.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
