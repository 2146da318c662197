"""`python -m bench [emergencies|break-in|family|survival|restart|locked|storm|…]`; `make bench` runs all of it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import emergencies, machine, memory, rate, recording, report, speech, speech_line, speech_load, storm
from bench.journeys.figures import JOURNEYS, figures
from ivr.settings import PROJECT_ROOT

PARTS = (
    "emergencies",
    *JOURNEYS,
    "storm",
    "memory",
    "recording",
    "speech",
    "speech-line",
    "speech-load",
    "rate",
)  # the rate last: it keeps to one processor
FOLDER = PROJECT_ROOT / "build" / "bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="ivr bench", description="性能测量 measure this machine")
    parser.add_argument("parts", nargs="*", metavar="|".join(PARTS), help="all when none is named")
    parser.add_argument("--quick", action="store_true", help="a few calls: shows that it runs, not how fast")
    parser.add_argument("--rounds", type=int, help="rounds of the rate (8)")
    parser.add_argument("--seconds", type=float, help="seconds a block of the rate (15)")
    parser.add_argument("--every", type=int, default=1, help="speech-line: each nth utterance only")
    parser.add_argument("--line", choices=speech_line.LINES, action="append", help="speech-line: this kind only")
    parser.add_argument("--model", type=Path, help="speech: another Vosk model than this instance's")
    parser.add_argument("--prompt", type=float, default=rate.GREETING_S, help="seconds of the greeting in the rate")
    parser.add_argument("--count", type=int, help="how often a journey is gone; how many alarms of a storm")
    parser.add_argument("--systems", type=int, help="journeys: so many private systems side by side")
    parser.add_argument("--add", action="store_true", help="journeys: to the runs that the results file holds already")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"没有 no such part: {', '.join(sorted(unknown))} ({', '.join(PARTS)})")
    chosen = [part for part in PARTS if not args.parts or part in args.parts]
    # Some parts alone do not write over the figures of a whole run.
    path = FOLDER / (f"results-{'-'.join(chosen)}.json" if args.parts else "results.json")
    # The measured system must not outlive us: a TERM is taken like Ctrl-C, which stops everything in order.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    results: dict[str, Any] = {"machine": machine.describe(), "quick": args.quick}
    for key, value in results["machine"].items():
        print(f"{key:14}{value}")
    earlier = json.loads(path.read_text()) if args.add and path.exists() else {}
    for part in chosen:
        load = os.getloadavg()
        print(f"\n== {part}  (load {load[0]:.2f})", flush=True)
        if part in JOURNEYS:
            results[part] = asyncio.run(_journey(part, args, earlier.get(part, {})))
        else:
            results[part] = asyncio.run(_run(part, args))
        results[part]["load_before"], results[part]["load_after"] = load, os.getloadavg()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(results, ensure_ascii=False, indent=1))
    print("\n" + report.table(report.rows(results)))
    print(f"\n{path}")
    return 0


async def _journey(part: str, args: argparse.Namespace, earlier: dict[str, Any]) -> dict[str, Any]:
    journey = JOURNEYS[part]
    count = args.count or (3 if args.quick else journey.count)
    load = os.getloadavg()
    runs = await journey.go(count, args.systems or (1 if args.quick else journey.systems))
    piece = {"runs": len(runs), "load_before": load, "load_after": os.getloadavg(), **_when()}
    runs = [*earlier.get("all", []), *runs]
    return figures(part, runs) | {"all": runs, "pieces": [*earlier.get("pieces", []), piece]}


def _when() -> dict[str, str]:
    return {"ended": datetime.now(UTC).isoformat(timespec="seconds")}


async def _run(part: str, args: argparse.Namespace) -> dict[str, Any]:
    if part == "rate":
        return await rate.run(quick=args.quick, rounds=args.rounds, seconds=args.seconds, prompt_s=args.prompt)
    if part == "speech":
        return await asyncio.to_thread(speech.run_here, quick=args.quick, model_dir=args.model)
    if part == "speech-line":
        kinds = args.line or speech_line.LINES
        return await speech_line.run(speech.model_here(args.model), quick=args.quick, every=args.every, kinds=kinds)
    if part == "speech-load":
        return await speech_load.run(speech.model_here(args.model), quick=args.quick)
    if part == "memory":
        return await memory.run(quick=args.quick)
    if part == "recording":
        return await recording.run(quick=args.quick)
    if part == "storm":
        return await storm.run(quick=args.quick, count=args.count)
    return await emergencies.run(quick=args.quick)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
