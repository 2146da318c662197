"""Figures as a table, each beside its target."""

from __future__ import annotations

import unicodedata
from typing import Any

from bench import speech_load
from bench.journeys import figures

Row = tuple[str, str, str]
_NAMES = {
    "committed": "INVITE → 事件已落盘 incident committed",
    "answered": "INVITE → 200 老人听到应答 elder answered",
    "agent": "INVITE → 第一个坐席 first agent INVITE",
    "family": "INVITE → 第一个家属 first family INVITE",
}


def rows(results: dict[str, Any]) -> list[Row]:
    found: list[Row] = []
    if part := results.get("emergencies"):
        for what, one in part["ms"].items():
            target = f"p95 ≤ {one['target_p95'] / 1000:g} s" if one["target_p95"] else ""
            said = f"p50 {one['p50']:.0f}, p95 {one['p95']:.0f}, p99 {one['p99']:.0f}, max {one['max']:.0f} ms"
            found.append((_NAMES[what], said + (f", {one['missing']} missing" if one["missing"] else ""), target))
        trouble = f"{part['failed_calls']} failed, {part['repeated_invites']} repeated INVITEs"
        found.append((f"{part['emergencies']} 次紧急呼叫 emergencies", trouble, "0, 0"))
    for name in figures.JOURNEYS:
        if part := results.get(name):
            found += figures.rows(name, part)
    if part := results.get("storm"):
        ms, cpu, after = part["ms"], part["cpu_share"], part["cpu_share_after"]
        found += [
            (
                f"风暴 storm: {part['alarms']} 起报警 alarms in {part['within_s']:.0f} s, 应答 acknowledged",
                f"p50 {ms['p50']:.0f}, p95 {ms['p95']:.0f}, p99 {ms['p99']:.0f}, max {ms['max']:.0f} ms, "
                f"{part['refused']} refused, {part['journalled']} journalled",
                "< 60 s, 0",
            ),
            ("同时外呼 calls at once", f"{part['lines_at_once']}", "≤ 42"),
            (
                "处理器 CPU, share of a core, during / after",
                ", ".join(f"{name} {cpu[name]:.2f} / {after[name]:.2f}" for name in cpu),
                "",
            ),
            ("数据库 database", f"{part['database_mb']:.1f} MB, {part['events']} events", ""),
        ]
    if part := results.get("rate"):
        low, high = part["ratio_interval"]
        found += [
            ("接听速率 原生 answered calls, native", f"{part['native_per_s']:.1f} /s", ""),
            ("接听速率 引擎 answered calls, engine", f"{part['engine_per_s']:.1f} /s", ""),
            ("速率比 ratio of rates (R1)", f"{part['ratio']:.2f} [{low:.2f}, {high:.2f}]", "≥ 0.6"),
            ("每通 CPU 原生 CPU per call, native", f"{part['native_cpu_ms']:.2f} ms", ""),
            (
                "每通 CPU 引擎 CPU per call, engine",
                f"{part['engine_cpu_ms']:.2f} ms (Asterisk {part['engine_cpu_ms_asterisk']:.2f}, "
                f"Python {part['engine_cpu_ms_python']:.2f})",
                "",
            ),
            ("CPU 比 ratio of CPU (R2)", f"{part['cpu_ratio']:.2f}", "(≤ 2.5)"),
        ]
    if part := results.get("recording"):
        for name, one in part["rooms"].items():
            said = f"{one['recorded_ms']:.0f} ÷ {one['not_recorded_ms']:.0f} ms/s, {one['a_leg_ms']:.2f} ms/s a leg"
            found.append((f"录音 recording, {part['legs']} legs, {name}: CPU of Asterisk", said, ""))
    if part := results.get("memory"):
        idle, per_call = part["idle"], part["waiting"]["kb_per_call"]
        parts = ", ".join(f"{name} {one['pss_mb']:.0f}" for name, one in idle["parts"].items())
        found += [
            ("空闲内存 idle, PSS", f"{idle['pss_mb']:.0f} MB ({parts})", f"≤ {idle['target_mb']} MB"),
            ("空闲内存 idle, sum of RSS", f"{idle['rss_mb']:.0f} MB", ""),
            (
                "每位等候者 each waiting caller, PSS",
                f"{per_call['pss_kb']:.0f} kB (Asterisk {per_call['asterisk_kb']:.0f}, "
                f"engine {per_call['engine_kb']:.0f}, console {per_call['console_kb']:.0f})",
                "",
            ),
        ]
    for name in ("speech", "speech-line", "speech-load"):
        if why := results.get(name, {}).get("missing"):
            found.append((f"没有测量 not measured: {name}", f"no {why}", ""))
    if part := results.get("speech"):
        found += _speech(part)
    if part := results.get("speech-line"):
        found += _line(part)
    if (part := results.get("speech-load")) and "ratio" in part:
        found += _load(part)
    return found


def _speech(part: dict[str, Any]) -> list[Row]:
    found: list[Row] = []
    for kind in ("kokoro", "espeak"):
        for name, one in part.get(kind, {}).get("intents", {}).items():
            said = f"{one['found']}/{one['wanted']}, {one['false']} of {one['others']} others accepted"
            found.append((f"听懂 understood, {name} ({kind})", said, ""))
        for name, one in part.get(kind, {}).get("distress", {}).items():
            said = f"{one['found']}/{one['wanted']}, {one['false']}/{one['others']} ({one['false_per_hour']} an hour)"
            found.append((f"句中求救 distress in sentences, {name} ({kind})", said, ""))
    for kind, row in part.get("talk", {}).items():
        for name, one in row.items():
            if name == "numbers":
                for group, read in one.items():
                    said = f"{read['right']}/{read['said']}, {read['wrong']} read wrongly"
                    found.append((f"数字和时间 {group} ({kind})", said, ""))
            else:
                said = f"{one['false_alarms']} in {one['minutes']:.0f} min, {one['per_hour']} an hour"
                found.append((f"平常话误报 {name} ({kind})", said, ""))
    if speed := part.get("speed"):
        said = f"{speed['rtf']:.3f}, {speed['streams_per_core']:.0f} streams a core"
        found.append(("实时系数 real-time factor, bare library", said, ""))
    return found


def _line(part: dict[str, Any]) -> list[Row]:
    found: list[Row] = []
    for kind, one in part.get("lines", {}).items():
        understood = f"{one['understood_by_line']} ÷ {one['understood_by_file']} = {one['ratio']}"
        found.append((f"听懂 电话÷文件 understood, telephone ÷ file ({kind} line)", understood, "≥ 0.98"))
        for name, row in one.get("by_grammar", {}).items():
            said = (
                f"{row['understood_by_line']} ÷ {row['understood_by_file']} of {row['utterances']}, "
                f"others accepted {row['false_by_line']} ÷ {row['false_by_file']} of {row['others']}"
            )
            found.append((f"… {name} ({kind} line)", said, ""))
        late = one["end_of_speech_to_outcome_s"]["all"]
        if late["turns"]:
            said = f"p50 {late['p50']:.2f}, p95 {late['p95']:.2f} s, {late['turns']} turns"
            found.append((f"说完到结果 end of speech → outcome ({kind} line)", said, ""))
    return found


_ORDERS = {
    "one by one": "一路接一路 one caller after another",
    "in turn": "各路轮流 all in turn",
    "in real time": "各路轮流、按实时 all in turn, in real time",
}


def _load(part: dict[str, Any]) -> list[Row]:
    """The same streams a core on the line against the bare library in each order."""
    line = part["line_streams_per_core"]
    found: list[Row] = []
    for order, ratio in part["ratio_of_each"].items():
        what = f"每核路数 电话÷裸库 streams a core, telephone ÷ library, {_ORDERS[order]}"
        found.append((what, f"{line:.0f} ÷ {1 / part['bare'][order]:.0f} = {ratio:.2f}", f"≥ {speech_load.TARGET}"))
    kept = part["memory"]
    said = (
        f"{kept['empty_pss_mb']:.0f} MB, with {part['streams']} streams {kept['full_pss_mb']:.0f} MB: "
        f"{kept['stream_mb']:.1f} MB a stream"
    )
    found.append(("语音进程内存 speech worker, PSS", said, ""))
    return found


def table(found: list[Row]) -> str:
    head: Row = ("指标 figure", "结果 measured", "目标 target")
    widths = [max(_width(row[n]) for row in (head, *found)) for n in range(3)]
    lines = ["  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
             for row in (head, *found)]  # fmt: skip
    return "\n".join([lines[0], "-" * (sum(widths) + 4), *lines[1:]])


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
