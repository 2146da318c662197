"""Runs added up: percentiles and histograms of each time, and what must be none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.journeys import break_in, family, restart, survival
from bench.journeys.side_by_side import Run
from bench.numbers import histogram, percentile


@dataclass(frozen=True)
class Journey:
    """`lists`: names under which a run has several values; `none`: counts that must be 0."""

    go: Callable[[int, int], Awaitable[list[Run]]]
    count: int
    systems: int
    title: str
    names: dict[str, tuple[str, str]]
    """Name of a time -> (what it is, its target)."""
    lists: Sequence[str] = ()
    between: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a time -> the two times it lies between."""
    none: Sequence[str] = ()
    extra: dict[str, str] = field(default_factory=dict)


INVITE = "按键 INVITE →"
JOURNEYS = {
    "break-in": Journey(
        break_in.run, 200, 4, "三个坐席都在普通通话中的一键呼叫 presses with three seats, all on ordinary calls",
        {
            "committed": (f"{INVITE} 事件已落盘 incident committed", "≤ 0.5 s"),
            "answered": (f"{INVITE} 200 老人听到应答 elder answered", ""),
            "family": (f"{INVITE} 第一个家属 first family INVITE", "≤ 2 s"),
            "listed": (f"{INVITE} 事件在三个屏幕上 in the list of all three screens", "≤ 1 s"),
            "committed_to_listed": ("已落盘 → 在三个屏幕上 committed → in all three lists", "p99 ≤ 50 ms"),
            "filed": (f"{INVITE} 老人档案读完 elder's file read by all three screens", "≤ 1 s"),
            "decided": (f"{INVITE} 决定插断 decision to break in", ""),
            "sign": (f"{INVITE} 坐席听到提示 first sign in the seat's ear", ""),
            "two_way": (f"{INVITE} 双向通话 two-way speech", "p95 ≤ 10 s, p99 ≤ 15 s"),
            "decision_to_sign": ("决定插断 → 坐席听到提示 decision → first sign in the ear", ""),
            "decision_to_room": ("决定插断 → 坐席听到老人 decision → the elder's voice in the ear", ""),
            "back": ("坐席挂机 → 被搁置者又听到他 seat hangs up → the parked caller has it again", ""),
            "parked": ("搁置多久 parked for", ""),
            "parked_silence": ("搁置时最长无声 longest time without a packet while parked", ""),
        },
        between={"committed_to_listed": ("committed", "listed")},
        extra={"others_undisturbed": "True"},
        none=("ordinary_calls_lost",),
    ),
    "family": Journey(
        family.run, 200, 3, "报警接口与家属 alarms by the API and the family",
        {
            "acknowledged": ("报警 → 应答 POST → acknowledged", ""),
            "first_invite": ("报警 → 第一个家属 POST → first family INVITE", "≤ 2 s"),
            "home_invite": ("报警 → 拨打老人 POST → the elder's phone", ""),
            "next_after_decline": ("拒接 → 下一位 declined → next INVITE", ""),
            "next_after_no_answer": ("振铃结束 → 下一位 rung out → next INVITE", ""),
            "pressed_to_accepted": ("按 1 → 记录为已接受 pressed 1 → accepted, on record", ""),
            "pressed_to_room": ("按 1 → 与坐席互相听见 pressed 1 → hears and is heard by the seat", "≤ 3 s"),
            "pressed_to_elder_heard": ("按 1 → 听见老人 pressed 1 → hears the elder", ""),
            "others_stopped": ("按 1 → 另一部停止振铃 pressed 1 → the other phone stops", "≤ 2 s"),
        },
        extra={"outcomes": "['no_answer', 'declined', 'cancelled', 'accepted']"},
    ),
    "survival": Journey(
        survival.run, 200, 3, "引擎 kill -9，立即重启 engine killed and started again at once",
        {
            "carried_on": ("kill → 事件继续（新的拨号） carried on: the next dial", "≤ 5 s"),
            "longest_silence": ("老人最长无声 the elder's longest time without a packet", ""),
        },
        none=("dropped", "rung_twice"),
    ),
    "restart": Journey(
        restart.run, 24, 3, "Asterisk kill -9，立即重启 Asterisk killed and started again at once",
        {
            "asterisk_up": ("kill → Asterisk 就绪 fully booted", ""),
            "elders": ("Asterisk 就绪 → 回拨老人 booted → the elder's phone", "≤ 15 s"),
        },
        lists=("elders",),
        none=("lost_before",),
    ),
    "locked": Journey(
        restart.run_locked, 21, 3, f"数据库被锁 {restart.LOCKED_S:g} 秒 database locked",
        {
            "answered": (f"{INVITE} 200 应答 elder answered", ""),
            "voice": (f"{INVITE} 听到声音 hears a voice", ""),
            "last_on_record_after_unlock": ("解锁 → 全部成为事件 unlocked → all on record", ""),
        },
        lists=("answered", "voice"),
        none=("unheard", "dropped"),
    ),
}  # fmt: skip


def figures(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    journey = JOURNEYS[name]
    good = [run for run in runs if "failed" not in run]
    result: dict[str, Any] = {"runs": len(runs), "failed": [run["failed"] for run in runs if "failed" in run], "ms": {}}
    for what, (said, target) in journey.names.items():
        times = _times(journey, what, good)
        result["ms"][what] = {
            **{f"p{int(share * 100)}": percentile(times, share) for share in (0.5, 0.95, 0.99)},
            "max": max(times, default=float("nan")),
            "count": len(times),
            "missing": 0 if what in journey.lists else len(good) - len(times),
            "target": target,
        }
        print(said, *histogram(times, "ms"), sep="\n", flush=True)
    result["none"] = {what: sum(run[what] for run in good) for what in journey.none}
    result["others"] = {what: dict(Counter(str(run[what]) for run in good)) for what in journey.extra}
    return result


def _times(journey: Journey, what: str, good: Sequence[Run]) -> list[float]:
    if what in journey.lists:
        return [ms for run in good for ms in run[f"{what}_ms"]]
    if what in journey.between:
        a, b = journey.between[what]
        return [run["ms"][b] - run["ms"][a] for run in good if a in run["ms"] and b in run["ms"]]
    return [run["ms"][what] for run in good if what in run["ms"]]


def rows(name: str, part: dict[str, Any]) -> list[tuple[str, str, str]]:
    """For the report's table."""
    journey = JOURNEYS[name]
    trouble = ", ".join([f"{len(part['failed'])} failed", *(f"{n} {what}" for what, n in part["none"].items())])
    found = [(f"{part['runs']} × {journey.title}", trouble, "0")]
    for what, one in part["ms"].items():
        said = f"p50 {one['p50']:.0f}, p95 {one['p95']:.0f}, p99 {one['p99']:.0f}, max {one['max']:.0f} ms"
        missing = f", {one['missing']} missing" if one["missing"] else ""
        found.append((journey.names[what][0], f"{said} ({one['count']}){missing}", one["target"]))
    for what, counts in part["others"].items():
        found.append((what, str(counts), journey.extra[what]))
    return found
