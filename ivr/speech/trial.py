"""Does Vosk load this model, and how much memory does it take? Asked in a process of its own.

libvosk ends its process on a damaged file, and a big model may need more memory than there is: neither must reach a
running centre. The trial offers itself to the kernel as the first to end when memory runs out.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ivr.errors import PlainError

LONGEST_S = 600
"""The big model is read from a slow disk in minutes."""

_CHILD = """
import contextlib, json, os, resource, sys
with contextlib.suppress(OSError):
    open("/proc/self/oom_score_adj", "w").write("1000")
    os.nice(15)
import vosk
vosk.SetLogLevel(-1)
ear = vosk.KaldiRecognizer(vosk.Model(sys.argv[1]), 8000)
ear.AcceptWaveform(bytes(16000))
heard = json.loads(ear.FinalResult())
assert "text" in heard
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


class TrialFailed(PlainError):
    """The model cannot be loaded here."""


@dataclass(frozen=True, slots=True)
class Trial:
    memory_mb: int
    """Most that the process held: model, recogniser and Python."""


def try_model(path: Path, longest_s: float = LONGEST_S) -> Trial:
    """Load the model and let it hear one second of silence at 8 kHz.

    Raises:
        TrialFailed: damaged, made for another Vosk, or too big for this machine.
    """
    command = [sys.executable, "-c", _CHILD, str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=longest_s, check=False)
    except subprocess.TimeoutExpired:
        raise TrialFailed(
            f"模型 {longest_s:g} 秒内没有装入，这台机器太慢", f"the model did not load within {longest_s:g} s"
        ) from None
    if done.returncode == -9:
        raise TrialFailed("内存不够，装不下这个模型", "there is not enough memory for this model")
    if b"No module named 'vosk'" in done.stderr:
        raise TrialFailed("缺少 vosk 软件包，无法试装", "the package vosk is missing: the model cannot be tried")
    memory = 0
    with contextlib.suppress(ValueError, IndexError):
        memory = int(done.stdout.split()[-1])
    if done.returncode or not memory:
        raise TrialFailed(
            "Vosk 打不开这个模型：文件损坏，或不是 Vosk 模型", "Vosk cannot load this model: damaged, or none of Vosk's"
        )
    return Trial(memory // 1024)
