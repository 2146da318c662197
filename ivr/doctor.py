"""What is missing on this machine and in this instance, what it means, and what to do about it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ivr.errors import PlainError
from ivr.settings import PROJECT_ROOT, Settings

OK, WARNING, BLOCK = "✓", "!", "✗"
OLDEST_PYTHON = (3, 11)
A_DAYS_MB = 800
"""20 incidents of 10 minutes, three people and the room: 0.96 MB a minute each. More where the last day had more."""
CLOCK_FLOOR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Finding:
    """One line of the report; only ✗ stops the system from starting or serving."""

    mark: str
    zh: str
    en: str

    @property
    def blocks(self) -> bool:
        return self.mark == BLOCK


def examine(settings: Settings) -> list[Finding]:
    """Every check, also after one that fails: a person wants the whole list at once."""
    return [finding for check in CHECKS for finding in check(settings)]


def report(findings: list[Finding]) -> str:
    lines = [f"{finding.mark} {finding.zh}\n  {finding.en}" for finding in findings]
    blocking = sum(finding.blocks for finding in findings)
    if blocking:
        lines.append(f"\n{blocking} 项必须处理 · {blocking} must be dealt with")
    else:
        lines.append("\n可以运行 · ready to run")
    return "\n".join(lines)


def _python(_settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if tuple(sys.version_info[:2]) >= OLDEST_PYTHON:
        yield Finding(OK, f"Python {version}", f"Python {version}")
    else:
        yield Finding(BLOCK, f"Python {version} 太旧，需要 3.11 以上", f"Python {version} is too old: 3.11 or later")


def _asterisk(settings: Settings) -> Iterator[Finding]:
    from ivr.asterisk.portable import ASTERISK, asterisk_command, found_asterisk

    try:
        program = found_asterisk(settings)
        if program is None and (shutil.which("apt-get") and shutil.which("dpkg")):
            yield Finding(
                WARNING,
                f"尚无 Asterisk，首次 ivr run 会下载（约 100 MB，需 {ASTERISK.need_mb} MB 磁盘）",
                f"no Asterisk yet: the first ivr run fetches it (about 100 MB, {ASTERISK.need_mb} MB of disk)",
            )
            return
        program = program or asterisk_command(settings)  # says why it cannot be had
    except PlainError as error:
        yield Finding(BLOCK, error.zh, error.en)
        return
    version = ".".join(map(str, program.version))
    yield Finding(OK, f"Asterisk {version}：{program.argv[-1]}", f"Asterisk {version} at {program.argv[-1]}")


def _data_dir(settings: Settings) -> Iterator[Finding]:
    from ivr.supervisor.preflight import NEEDED_MB

    folder = settings.data_dir.resolve()
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        yield Finding(
            BLOCK,
            f"data_dir {folder} 不可写，请改权限或设置 IVR_DATA_DIR",
            f"data_dir {folder} cannot be written: change its rights or set IVR_DATA_DIR",
        )
        return
    yield Finding(OK, f"data_dir {folder} 可写", f"data_dir {folder} can be written")
    free = shutil.disk_usage(there).free // 1_000_000
    if free < NEEDED_MB:
        yield Finding(
            BLOCK,
            f"磁盘只剩 {free} MB，至少需要 {NEEDED_MB} MB，否则来电无法记录",
            f"{free} MB of disk left, at least {NEEDED_MB} MB are needed or calls cannot be journalled",
        )
    else:
        yield Finding(OK, f"磁盘剩余 {free} MB", f"{free} MB of disk left")


def _recordings(settings: Settings) -> Iterator[Finding]:
    """Never a reason not to start: whatever is wrong with a file, nobody stays outside a room for it."""
    if not settings.record_rooms:
        yield Finding(OK, "会议室不录音（record_rooms 关闭）", "rooms are not recorded (record_rooms is off)")
        return
    folder = settings.recordings_dir
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding(
            WARNING,
            f"录音文件夹 {folder} 不可写，通话照常，但没有录音",
            f"{folder} cannot be written: calls go on, nothing is recorded",
        )
        return
    free = shutil.disk_usage(there).free // 1_000_000
    need = max(A_DAYS_MB, _last_day_mb(folder))
    short = free < need
    yield Finding(
        WARNING if short else OK,
        f"录音一天约需 {need} MB，磁盘剩余 {free} MB" + ("，不够：请清理或设 recordings_keep_days" if short else ""),
        f"a day of recordings takes about {need} MB, {free} MB are left"
        + (": not enough, make room or set recordings_keep_days" if short else ""),
    )


def _last_day_mb(folder: Path) -> int:
    since = time.time() - 24 * 3600
    files = (path.stat() for path in folder.rglob("*.wav"))
    return sum(file.st_size for file in files if file.st_mtime >= since) // 1_000_000


def _ports(settings: Settings) -> Iterator[Finding]:
    from ivr.supervisor.preflight import check_ports, is_running

    if is_running(settings.data_dir.resolve()):
        yield Finding(OK, "本实例正在运行，端口由它占用", "this instance is running and holds its ports")
        yield from _parts(settings)
        return
    try:
        check_ports(settings, demo=False)
    except PlainError as error:
        yield Finding(BLOCK, error.zh, error.en)
    else:
        yield Finding(OK, "所需端口空闲", "the ports are free")


def _parts(settings: Settings) -> Iterator[Finding]:
    from ivr.supervisor.board import read_board

    for name, entry in read_board(settings.data_dir.resolve() / "run" / "parts.json").items():
        if entry.state != "ready":
            log = settings.log_dir / f"{name}.log"
            mark = WARNING if name == "voice" else BLOCK  # no call needs it
            yield Finding(mark, f"{name} 状态为 {entry.state}，见 {log}", f"{name} is {entry.state}; see {log}")


def _database(settings: Settings) -> Iterator[Finding]:
    import asyncio

    from ivr.store.db import Store
    from ivr.store.users import SqlUsers

    url = settings.effective_database_url
    file = Path(url.partition("///")[2]) if url.startswith("sqlite") else None
    if file is not None and not file.exists():
        yield Finding(OK, "数据库尚未建立，首次启动时自动建立", "no database yet: the first start makes it")
        return

    async def ask() -> int:
        async with asyncio.timeout(10), Store(url, name="doctor") as store:
            return await SqlUsers(store).count()

    try:
        users = asyncio.run(ask())
    except Exception as error:  # each driver has errors of its own
        why = (str(error).splitlines() or [type(error).__name__])[0]
        yield Finding(
            BLOCK,
            f"数据库无法访问（{why}），请检查设置 database_url",
            f"the database cannot be reached ({why}): check setting database_url",
        )
        return
    yield Finding(OK, "数据库可用", "the database answers")
    if not users:
        yield Finding(
            WARNING, "还没有任何账号，首次启动时自动建立", "nobody can log in yet: the first start makes accounts"
        )


def _duty_phone(settings: Settings) -> Iterator[Finding]:
    if settings.duty_phone:
        yield Finding(OK, f"值班电话 {settings.duty_phone}", f"duty phone {settings.duty_phone}")
    else:
        yield Finding(
            WARNING,
            "未设置值班电话：引擎故障时来电只能听到提示音，请设置 IVR_DUTY_PHONE",
            "no duty phone: when the engine is down callers only hear an announcement; set IVR_DUTY_PHONE",
        )


def _prompts(settings: Settings) -> Iterator[Finding]:
    from ivr.prompts.catalogue import CatalogueError, load_catalogue

    folder = PROJECT_ROOT / "prompts"
    try:
        prompts = load_catalogue(folder / "catalogue.toml")
    except (CatalogueError, OSError) as error:
        yield Finding(BLOCK, f"提示音目录无法读取：{error}", f"the catalogue of prompts cannot be read: {error}")
        return
    missing = [prompt.id for prompt in prompts.values() if not prompt.audio_path(folder).is_file()]
    if missing:
        names = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        yield Finding(
            BLOCK,
            f"缺少 {len(missing)} 条提示音（{names}），来电者会听到静音；请执行 ivr prompts build",
            f"{len(missing)} prompts are missing ({names}), callers would hear silence: ivr prompts build",
        )
    else:
        yield Finding(OK, f"{len(prompts)} 条提示音齐全", f"all {len(prompts)} prompts are there")
    yield from _own_prompts(settings, folder / "zh_CN")


def _own_prompts(settings: Settings, ours: Path) -> Iterator[Finding]:
    from ivr.prompts.install import review

    folder = settings.own_prompts
    if not folder.is_dir():
        if settings.own_prompts_dir is not None:
            yield Finding(
                WARNING,
                f"own_prompts_dir {folder} 不存在，播放自带的提示音",
                f"own_prompts_dir {folder} does not exist: our own prompts are played",
            )
        return
    found = review(ours, folder)
    for refused in found.refused:
        zh, _, en = refused.partition(" · ")
        name = refused.partition(":")[0]
        yield Finding(WARNING, f"中心录音 {zh}，播放自带的", f"recording {name}: {en or zh}; ours is played")
    for name in found.unknown:
        yield Finding(
            WARNING,
            f"中心录音 {name} 不对应任何提示音，不会播放",
            f"recording {name} is called like no prompt: it is never played",
        )
    if replaced := len(found.own) - len(found.unknown):
        yield Finding(OK, f"{replaced} 条提示音用中心自己的录音", f"{replaced} prompts are the centre's own recordings")


def _names(settings: Settings) -> Iterator[Finding]:
    from ivr.voice.synthesiser import find_voice
    from ivr.voicing import read_progress

    if find_voice(settings) is None:
        yield Finding(
            OK,
            "未装语音合成：家属电话里用通用说法，不报老人姓名",
            "no synthesiser: calls to families use a general wording without the elder's name",
        )
        return
    progress = read_progress(settings)
    if progress is None:
        yield Finding(OK, "老人姓名录音：尚未开始", "elders' names as sound: not begun")
        return
    zh = f"老人姓名、住址录音：{progress.made} / {progress.wanted}，读不出 {progress.unspeakable}"
    en = f"elders' names as sound: {progress.made} of {progress.wanted}, {progress.unspeakable} cannot be said"
    trouble = {"no_voice": "语音合成启动不了 the synthesiser does not start", "disk_full": "磁盘已满 the disk is full"}
    if why := trouble.get(progress.state):
        zh_why, _, en_why = why.partition(" ")
        yield Finding(WARNING, f"{zh}；{zh_why}", f"{en}; {en_why}")
    else:
        yield Finding(OK, zh, en)


def report_speech(settings: Settings) -> str:
    """`ivr model show`."""
    return "\n".join(f"{finding.mark} {finding.zh}\n  {finding.en}" for finding in _speech(settings))


def _speech(settings: Settings) -> Iterator[Finding]:
    from ivr.speech.dictation import told
    from ivr.speech.models import CARRIED, search

    model, problems = search(settings)
    for problem in problems:
        yield Finding(WARNING, problem.zh, problem.en)
    if model is None:
        yield Finding(
            OK,
            "未装语音识别模型：系统用按键和人工运行；安装：ivr model install",
            "no speech model: the system works with keys and people; to have one: ivr model install",
        )
        return
    if model.origin == CARRIED:
        yield Finding(
            OK,
            f"语音识别模型：自带的小模型（{model.path}）；换成官方模型：ivr model install",
            f"speech model: the small one that is carried ({model.path}); ivr model install fetches the official one",
        )
    else:
        zh, en = told(settings.speech_dictation, model)
        yield Finding(
            OK, f"语音识别模型：{model.name}（{model.path}）{zh}", f"speech model: {model.name} ({model.path}){en}"
        )
    if not model.takes_grammar:
        yield Finding(
            WARNING,
            f"{model.name} 只能自由听写，不能按词表识别：识别更占处理器",
            f"{model.name} only dictates and ignores word lists: it needs more of the processor",
        )
    yield from _speech_now(settings)
    if settings.speech_second_ear:
        yield from _second_ear(settings)


def _speech_now(settings: Settings) -> Iterator[Finding]:
    """While the system runs: do the workers answer?"""
    from ivr.speech.status import SpeechStatus
    from ivr.supervisor.preflight import is_running

    if not is_running(settings.data_dir.resolve()):
        return
    said = SpeechStatus(settings.data_dir).read()
    if any(worker.get("state") == "ready" for worker in said.get("workers", {}).values()):
        free = said.get("free_urgent", 0)
        yield Finding(OK, f"语音识别在运行，空闲 {free} 路", f"speech recognition runs, {free} streams are free")
    else:
        yield Finding(
            WARNING,
            f"语音识别没有在运行，来电用按键和人工；见 {settings.log_dir / 'speech.log'}",
            f"speech recognition does not run, calls go on with keys and people; see {settings.log_dir / 'speech.log'}",
        )


def _second_ear(settings: Settings) -> Iterator[Finding]:
    """Asked for: can it start, and while the system runs, is it there?"""
    from ivr.speech.second_keeper import missing, weights_folder
    from ivr.speech.status import SpeechStatus
    from ivr.supervisor.preflight import is_running

    if not settings.listen_while_waiting:
        yield Finding(
            WARNING,
            "设置了 speech_second_ear，但 listen_while_waiting 关着：第二只耳朵没有事做",
            "speech_second_ear is on and listen_while_waiting is off: the second ear has nothing to hear",
        )
    if why := missing(weights_folder(settings)):
        yield Finding(
            WARNING,
            f"设置了 speech_second_ear，但没有安装（{why}）：等候时听不出句子里的求救，来电照常",
            f"the second ear is asked for and missing ({why}): distress inside sentences is not heard, calls go on",
        )
        return
    if not is_running(settings.data_dir.resolve()):
        yield Finding(OK, "第二只耳朵已安装", "the second ear is installed")
        return
    second = SpeechStatus(settings.data_dir).read().get("second_ear", {})
    state, counts = second.get("state", "away"), second.get("counts") or {}
    heard, dropped = counts.get("heard", 0), counts.get("dropped", 0)
    zh = {"ready": "在听", "loading": "正在装入"}.get(state, "不在，来电照常")
    en = {"ready": "hears", "loading": "is loading"}.get(state, "is away, calls go on")
    yield Finding(
        OK if state in ("ready", "loading") else WARNING,
        f"第二只耳朵{zh}：听了 {heard} 句，来不及听 {dropped} 句",
        f"the second ear {en}: {heard} utterances heard, {dropped} dropped",
    )


def _clock(_settings: Settings) -> Iterator[Finding]:
    now = datetime.now(UTC)
    if now < CLOCK_FLOOR:
        yield Finding(BLOCK, f"系统时钟不对（{now:%Y-%m-%d}），请校时", f"the clock is wrong ({now:%Y-%m-%d}): set it")
    else:
        here = datetime.now().astimezone()
        zone = time.strftime("%Z")
        yield Finding(OK, f"时钟 {here:%Y-%m-%d %H:%M} {zone}", f"clock {here:%Y-%m-%d %H:%M} {zone}")


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _python,
    _asterisk,
    _data_dir,
    _recordings,
    _ports,
    _database,
    _duty_phone,
    _prompts,
    _names,
    _speech,
    _clock,
)
