"""What a run has shown, one line of JSON a system; `python -m tests.calls.chaos.tally FILE [SYSTEMS]` adds them up."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Tally:
    seed: int = 0
    rounds: int = 0
    void: int = 0
    """Rounds in which the far ends themselves failed: nothing can be said of them."""
    emergencies: int = 0
    invites: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    call_backs_s: list[float] = field(default_factory=list)
    carried_on_s: list[float] = field(default_factory=list)

    def append_to(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as lines:
            lines.write(json.dumps(asdict(self), ensure_ascii=False) + "\n")


def added(tallies: Iterable[Tally]) -> Tally:
    whole, faults = Tally(), Counter[str]()
    for one in tallies:
        whole.rounds += one.rounds
        whole.void += one.void
        whole.emergencies += one.emergencies
        whole.invites += one.invites
        faults.update(one.faults)
        whole.violations += one.violations
        whole.call_backs_s += one.call_backs_s
        whole.carried_on_s += one.carried_on_s
    whole.faults = dict(faults.most_common())
    return whole


def words(whole: Tally) -> str:
    lines = [
        f"{sum(whole.faults.values())} faults, {whole.rounds} rounds, {whole.emergencies} emergencies, "
        f"{whole.invites} INVITEs, {len(whole.violations)} violations, {whole.void} rounds void",
        *(f"  {kind:<22} {number}" for kind, number in whole.faults.items()),
    ]
    for name, took in (
        ("call-back after everything was back", whole.call_backs_s),
        ("engine serves again", whole.carried_on_s),
    ):
        if took:
            lines.append(f"{name}: {len(took)}, median {sorted(took)[len(took) // 2]:.1f} s, slowest {max(took):.1f} s")
    return "\n".join([*lines, *whole.violations])


def main() -> int:
    file, expected = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    tallies = [Tally(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
    whole = added(tallies)
    if len(tallies) < expected:
        whole.violations.append(f"{expected - len(tallies)} of {expected} systems ended without a tally")
    print(words(whole))
    return 1 if whole.violations else 0


if __name__ == "__main__":
    sys.exit(main())
