"""The end of a demo call: who heard what, where the recordings are, and what did not happen."""

from __future__ import annotations

from pathlib import Path

from ivr.asterisk.config import PROMPTS
from ivr.demo.heard import Recording, read_recording
from ivr.demo.render import Centre, sounds_of
from ivr.demo.story import Story
from ivr.settings import Settings

# Side of the call -> phrases that it may have heard.
PHRASES = {
    "elder": (
        "emergency/help_is_coming", "hotline/greeting", "demo/agent_emergency", "demo/agent_hello", "demo/daughter",
    ),
    "agent": ("demo/elder_press", "demo/elder_call", "demo/agent_hello", "demo/daughter"),
    "daughter": ("family/alarm", "family/connecting", "room/recorded"),
    "niece": ("family/alarm", "family/one_has_come", "family/not_confirmed"),
    "duty": ("duty/emergency", "demo/elder_press", "demo/elder_call"),
}  # fmt: skip
AGENT_PHRASES = ("demo/agent_emergency", "demo/agent_hello")
LEAST_SPEECH_S = 0.5


def report(settings: Settings, story: Story, folder: Path, kind: str, seat: str | None) -> bool:
    """Print it; True when everything that the demo is about has happened."""
    print("\n各方听到的声音 what each side heard:")
    sides = {path.stem: read_recording(path) for path in sorted(folder.glob("*.wav"))}
    first_heard_s: float | None = None
    for name, recording in sides.items():
        if recording is None:
            print(f"  {folder / name}.wav  没有声音 nothing")
            continue
        found = _found(settings, name, recording)
        print(f"  {recording.path}  {recording.seconds:.1f} s")
        for phrase, at in found.items():
            print(f"    {at:6.1f} s  {phrase}")
        if name == "elder":
            first_heard_s = _agent_heard(settings, story, recording, found, seat)
    if not sides:
        print("  没有录音 no recording")
    missing = _missing(settings, story, first_heard_s, kind, seat)
    print()
    if first_heard_s is not None:
        print(f"从拨号到听见坐席 {first_heard_s:.1f} 秒 · agent first heard {first_heard_s:.1f} s after dialling")
    for zh, en in missing:
        print(f"未完成：{zh}\nnot done: {en}")
    if not missing:
        print("全程完成 · the whole path was seen and heard")
        if kind == "press":
            print(f"事件仍未关闭，请在控制台处理 · still open in the console: http://{_console(settings)}/")
    return not missing


def _found(settings: Settings, name: str, recording: Recording) -> dict[str, float]:
    """Phrase -> seconds into the recording, in the order heard."""
    found = {}
    for phrase in PHRASES.get(name.partition("-")[0], ()):
        own = phrase.startswith("demo/")
        folder = PROMPTS if own else sounds_of(settings)
        path = folder / f"{phrase}.alaw"
        at = recording.find(path) if path.is_file() else None
        if at is not None:
            found[phrase] = at
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _agent_heard(
    settings: Settings, story: Story, elder: Recording, found: dict[str, float], seat: str | None
) -> float | None:
    """Seconds from the press until the elder heard an agent: the demo agent's words, or a real one speaking."""
    if story.elder_at is None or story.agent_at is None or story.answered_by == "duty":
        return None
    lead = (story.elder_at - story.began).total_seconds()
    if story.answered_by == seat:
        known = [found[phrase] for phrase in AGENT_PHRASES if phrase in found]
        return lead + min(known) if known else None
    centre = Centre(sounds_of(settings))
    machine = [at + centre.seconds(phrase) for phrase, at in found.items() if not phrase.startswith("demo/")]
    start = max((story.agent_at - story.elder_at).total_seconds(), *machine, 0.0) + 0.3
    end = found.get("demo/daughter", elder.seconds)
    return lead + start if elder.speech_s(start, end) >= LEAST_SPEECH_S else None


def _missing(
    settings: Settings, story: Story, first_heard_s: float | None, kind: str, seat: str | None
) -> list[tuple[str, str]]:
    log = settings.log_dir
    if story.call_id is None:
        return [
            (f"电话没有到达引擎，见 {log}/engine.log 和 asterisk.log", f"the call did not reach the engine: see {log}"),
        ]
    missing = []
    if story.answered_by in (None, "duty"):
        name = seat or "1001"
        missing.append(
            (
                f"没有坐席接听：请在控制台把 {name} 设为就绪，或重启 ivr run --demo",
                f"no agent took the call: set seat {name} ready in the console, or restart ivr run --demo",
            )
        )
    elif first_heard_s is None:
        missing.append(
            (
                f"坐席 {story.answered_by} 接了，但老人没有听到说话：若是软电话请检查麦克风，否则见 {log}/asterisk.log",
                f"{story.answered_by} took the call but was not heard: check the soft phone's microphone, or see {log}",
            )
        )
    if kind == "press" and "family" not in story.accepted:
        missing.append(
            (
                "没有家属确认：见上面每位家属的结果",
                "none of the family confirmed: see above what became of each",
            )
        )
    return missing


def _console(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.bind_host, settings.bind_host)  # noqa: S104
    return f"{host}:{settings.http_port}"
