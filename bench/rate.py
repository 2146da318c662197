"""R1 and R2: answered calls a second through the engine against the same Asterisk without it, and CPU-ms per call.

Asterisk and engine have one processor to themselves, SIPp and this program the other. In the native arm no engine runs
(else its ears would cost the native arm). A block is void after any failed call, any retransmission, a SIPp above 70 %
of its core, a rate that was not kept up, or an audit that finds anything left or missing.
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import proc
from bench.load import Silence
from bench.numbers import bootstrap, percentile
from bench.place import Place, place

NATIVE, ENGINE = "9001", "9002"
ARMS = {"native": NATIVE, "engine": ENGINE}
GREETING_S = 3.0  # the greeting as callers hear it
COARSE, FINE = 1.25, 1.06
SIPP_CORE, SYSTEM_CORE = 0, 1


@dataclass
class Block:
    arm: str
    rate: float
    seconds: float
    void: str = ""
    completed: int = 0
    achieved: float = 0.0
    asterisk_ms: float = 0.0
    engine_ms: float = 0.0
    core_busy: float = 0.0
    sipp_share: float = 0.0
    setup_ms: list[float] = field(default_factory=list, repr=False)

    @property
    def ms_per_call(self) -> float:
        return (self.asterisk_ms + self.engine_ms) / self.completed if self.completed else float("nan")

    def __str__(self) -> str:
        says = f"VOID: {self.void}" if self.void else f"{self.ms_per_call:6.2f} CPU-ms/call"
        return (
            f"  {self.arm:6} {self.rate:6.1f}/s {self.completed:5} calls  core {self.core_busy:4.0%}  "
            f"SIPp {self.sipp_share:4.0%}  {says}"
        )


def dialplan(inbound: str, prompt: str) -> str:
    """The native arm, and the arrival step of this very dialplan with the greeting, to where the queue would begin."""
    found = re.search(r"^\[arrival\]\n(.*?)(?=^\[)", inbound, re.DOTALL | re.MULTILINE)
    assert found, "dialplans/inbound.conf.j2 has no [arrival]"
    step = found[1].replace("?route,s,1:", "?bench-greeted,s,1:").replace("lifeline,s,1", "bench-lost,s,1")
    return f"""[from-trunk]
exten => {NATIVE},1,Answer(,i)
 same => n,Playback({prompt})
 same => n,Hangup(16)
exten => {ENGINE},1,Set(IVR_DID=12349)
 same => n,Goto(bench-arrival,s,1)
[bench-arrival]
{step}
[bench-greeted]
exten => s,1,Answer(,i)
 same => n,Playback({prompt})
 same => n,Hangup(16)
[bench-lost]
exten => s,1,Set(GLOBAL(BENCH_LOST)=$[${{BENCH_LOST}} + 1])
 same => n,Hangup(38)
[globals]
BENCH_LOST = 0
"""


class RateBench:
    def __init__(self, at: Place, seconds: float, prompt_s: float, rtp_port: int) -> None:
        self.at, self.seconds, self.prompt_s, self.rtp_port = at, seconds, prompt_s, rtp_port
        self.blocks: list[Block] = []
        self._callers = at.callers_file()
        self._idle_descriptors: dict[str, int] = {}

    async def prepare(self, prompt: str) -> None:
        etc = self.at.system.settings.asterisk_dir / "etc"
        (etc / "custom" / "extensions.conf").write_text(dialplan((etc / "inbound.conf").read_text(), prompt))
        await self.at.system.cli("dialplan reload")
        for part in ("asterisk", "engine"):
            cpus = proc.allowed_cpus(self.at.pid(part))
            assert cpus == {SYSTEM_CORE}, f"{part} runs on {cpus}"

    async def engine(self, wanted: bool) -> None:
        """Its arm has it, the other does not; a moment to settle either way."""
        running = "engine" in self.at.system.processes
        if wanted and not running:
            with proc.on_cpus([SYSTEM_CORE]):
                await self.at.system.start("engine")
        elif running and not wanted:
            await self.at.system.kill("engine")
        await asyncio.sleep(1.0)

    async def block(self, arm: str, rate: float) -> Block:
        await self.engine(arm == "engine")
        block = Block(arm, rate, self.seconds)
        calls = max(5, round(rate * self.seconds))
        at, system = self.at, self.at.system
        parts = ["asterisk", "engine"] if arm == "engine" else ["asterisk"]
        tickets, lost = self._tickets(), await self._lost()
        began = {part: proc.cpu_ms(at.pid(part)) for part in parts}
        load = at.load("rate", f"{arm}-{len(self.blocks)}", port=system.settings.trunk_port)
        await load.start(
            "-s", ARMS[arm], "-inf", str(self._callers), "-key", "rtp_port", str(self.rtp_port),
            "-r", str(round(rate * 1000)), "-rp", "1000000", "-m", str(calls), "-trace_rtt", "-rtt_freq", "1",
            "-l", str(int(rate * (self.prompt_s + 1.5)) + 5), "-recv_timeout", "8000",
            to=("127.0.0.1", system.settings.sip_port),
        )  # fmt: skip
        outcome = await load.finished(self.seconds * 2 + self.prompt_s + 20)
        at.ports.give_back(load._control)
        quiet = await self._quiet()
        spent = {part: proc.cpu_ms(at.pid(part)) - began[part] for part in parts}
        block.asterisk_ms, block.engine_ms = spent["asterisk"], spent.get("engine", 0.0)
        block.completed, block.sipp_share = outcome.count("SuccessfulCall"), outcome.share_of_core
        block.achieved = block.completed / max(0.1, outcome.wall_s - self.prompt_s)
        block.core_busy = sum(spent.values()) / 1000 / outcome.wall_s
        block.setup_ms = outcome.setup_ms
        failed, again = outcome.count("FailedCall"), outcome.count("Retransmissions")
        if outcome.status != 0 or failed or block.completed < calls:
            block.void = f"{calls - block.completed} of {calls} calls failed"
        elif again:
            block.void = f"{again} retransmissions"
        elif outcome.share_of_core > 0.7:
            block.void = f"SIPp used {outcome.share_of_core:.0%} of its core"
        elif block.achieved < 0.93 * rate:
            block.void = f"only {block.achieved:.1f}/s"
        elif quiet:
            block.void = quiet
        elif arm == "engine" and self._tickets() - tickets != calls:
            block.void = f"{self._tickets() - tickets} tickets for {calls} calls"
        elif await self._lost() != lost:
            block.void = "calls that the engine lost"
        self.blocks.append(block)
        print(block, flush=True)
        return block

    async def _quiet(self) -> str:
        """The leak audit; empty when nothing is left."""
        left = await self.at.system.left_behind()
        if left:
            return f"left behind: {left[0][:80]}"
        await asyncio.sleep(1.2)  # engine.json is written every second
        if "engine" in self.at.system.processes and (n := self.at.system.engine_status().get("agi_sessions")):
            return f"{n} AGI sessions left"
        for part in self.at.system.processes:
            now = proc.descriptors(self.at.pid(part))
            if part == "asterisk" and now > self._idle_descriptors.setdefault(part, now) + 10:
                return f"{part} has {now} descriptors, had {self._idle_descriptors[part]}"
            if part == "engine" and now > 60:
                return f"{part} has {now} descriptors"
        return ""

    def _tickets(self) -> int:
        answered = "JOIN call ON call.id = ticket.call_id WHERE answered_at NOT NULL"
        return self.at.count(f"SELECT count(*) FROM ticket {answered}")

    async def _lost(self) -> int:
        said = await self.at.system.cli("dialplan show globals") or ""
        found = re.search(r"BENCH_LOST=(\d+)", said)
        return int(found[1]) if found else 0

    async def holds(self, arm: str, rate: float) -> bool:
        """A void block is made again: one hiccup of a neighbour is no limit, and must not favour the other arm."""
        return not (await self.block(arm, rate)).void or not (await self.block(arm, rate)).void

    async def climb(self, arm: str, start: float) -> float:
        """Up by ×1.25 until void; the last good rate (a void start: down until good)."""
        rate, good = start, 0.0
        while True:
            if not await self.holds(arm, rate):
                if good:
                    return good
                rate /= COARSE
                if rate < 1:
                    raise RuntimeError(f"{arm}: not even 1 call a second")
            else:
                good, rate = rate, rate * COARSE

    async def round(self, arm: str, start: float) -> float:
        """This round's highest good rate, by small steps from the last one's."""
        rate = start
        if not await self.holds(arm, rate):
            while rate > 1:
                rate /= FINE
                if await self.holds(arm, rate):
                    return rate
            raise RuntimeError(f"{arm}: not even 1 call a second")
        while await self.holds(arm, rate * FINE):
            rate *= FINE
        return rate


async def run(
    *, quick: bool, rounds: int | None = None, seconds: float | None = None, prompt_s: float = GREETING_S
) -> dict[str, Any]:
    rounds, seconds = rounds or (2 if quick else 8), seconds or (5.0 if quick else 15.0)
    if (os.cpu_count() or 1) < 2:
        raise SystemExit("需要两个处理器 · the rate needs two processors: one for SIPp, one for the system")
    os.sched_setaffinity(0, [SIPP_CORE])
    prompt = "hotline/greeting"
    with proc.on_cpus([SYSTEM_CORE]):
        context = place(250, rtp_ports=1200, console=False)
        at = await context.__aenter__()
    try:
        with Silence() as rtp_port:
            _shorten(at, prompt, prompt_s)
            bench = RateBench(at, seconds, prompt_s, rtp_port)
            await bench.prepare(prompt)
            print(f"升速 · climbing, {seconds:g} s a block, the prompt lasts {prompt_s:g} s", flush=True)
            best = {arm: await bench.climb(arm, start) for arm, start in (("native", 60.0), ("engine", 30.0))}
            found: list[dict[str, float]] = []
            print(f"交替 · {rounds} rounds, the arms in turn", flush=True)
            for _ in range(rounds):
                best = {arm: await bench.round(arm, best[arm]) for arm in ARMS}
                found.append(best)
    finally:
        await context.__aexit__(None, None, None)
    return _figures(bench.blocks, found, seconds, prompt_s)


def _shorten(at: Place, prompt: str, seconds: float) -> None:
    """The first part of the real prompt: a long one only adds sound, the same in both arms."""
    for file in (at.system.settings.asterisk_dir / "data" / "sounds" / "zh_CN").glob(f"{prompt}.*"):
        file.write_bytes(Path(file).read_bytes()[: int(seconds * 8000)])


def _figures(blocks: list[Block], found: list[dict[str, float]], seconds: float, prompt_s: float) -> dict[str, Any]:
    ratios = [one["engine"] / one["native"] for one in found]
    cost = {arm: statistics.median(b.ms_per_call for b in blocks if b.arm == arm and not b.void) for arm in ARMS}
    engine = [b for b in blocks if b.arm == "engine" and not b.void]
    low, high = bootstrap(ratios)
    return {
        "seconds_per_block": seconds,
        "prompt_s": prompt_s,
        "rounds": len(found),
        "native_per_s": statistics.median(one["native"] for one in found),
        "engine_per_s": statistics.median(one["engine"] for one in found),
        "ratio": statistics.median(ratios),
        "ratio_interval": [low, high],
        "native_cpu_ms": cost["native"],
        "engine_cpu_ms": cost["engine"],
        "engine_cpu_ms_asterisk": statistics.median(b.asterisk_ms / b.completed for b in engine),
        "engine_cpu_ms_python": statistics.median(b.engine_ms / b.completed for b in engine),
        "cpu_ratio": cost["engine"] / cost["native"],
        "setup_ms": {arm: _setup(blocks, arm) for arm in ARMS},
        "void_blocks": [f"{b.arm} {b.rate:.1f}/s: {b.void}" for b in blocks if b.void],
        "rates": found,
        "blocks": [{k: v for k, v in vars(b).items() if k != "setup_ms"} for b in blocks],
    }


def _setup(blocks: list[Block], arm: str) -> dict[str, float]:
    """INVITE to 200 over all good blocks, some of them near the highest rate."""
    times = [t for b in blocks if b.arm == arm and not b.void for t in b.setup_ms]
    return {f"p{int(share * 100)}": percentile(times, share) for share in (0.5, 0.95, 0.99)}
