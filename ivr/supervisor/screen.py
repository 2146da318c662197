"""The one screen a newcomer sees when everything is up."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ivr.settings import Settings
from ivr.supervisor.first_start import Account
from ivr.supervisor.probes import connect_host


def welcome(settings: Settings, accounts: Sequence[Account], *, demo: bool) -> str:
    """Secrets appear only when they have just been made; nothing keeps them in the clear."""
    host = connect_host(settings.bind_host)
    lines = [
        "",
        "银铃已启动 Yinling is up",
        "",
        f"  控制台 console      http://{host}:{settings.http_port}/",
    ]
    if accounts:
        lines += log_ins(accounts)
    else:
        lines.append("  登录 log-in         首次启动时已显示；新增账号 shown at first start; more: ivr user add NAME …")
    lines += [
        "",
        f"  热线 hotline        {settings.hotline_number}",
        f"  一键呼叫 one-key    {settings.one_key_number}  (每个来电都是紧急呼叫 every call is an emergency)",
        "",
        f"  软电话 soft phone   服务器 server {host}:{settings.sip_port} (UDP)，分机作用户名 extension as user name",
    ]
    lines += [f"                      {a.extension} / {a.sip_secret}" for a in accounts if a.extension]
    lines.append("                      *11 就绪 ready · *12 离席 away")
    if demo:
        ivr = command()
        lines += ["", "  试一试 try it       (另开一个终端 in a second terminal)"]
        lines += [f"                      {ivr} demo press   长者按下呼叫器 an elder presses the pendant"]
        lines += [f"                      {ivr} demo call    普通来电 an ordinary call"]
    lines += ["", "  Ctrl-C 停止 stops everything", ""]
    return "\n".join(lines)


def command() -> str:
    """How to type our command from here: a newcomer's shell does not know the virtual environment."""
    beside = Path(sys.executable).with_name("ivr")
    if shutil.which("ivr") == str(beside):
        return "ivr"
    return str(beside.relative_to(Path.cwd())) if beside.is_relative_to(Path.cwd()) else str(beside)


def log_ins(accounts: Sequence[Account]) -> list[str]:
    lines = [f"  登录 log-in         {a.name} / {a.password}  ({a.role})" for a in accounts]
    return [*lines, "  密码只显示这一次，请立即记下 · shown only this once: write them down now"]
