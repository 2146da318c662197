"""A second ear that writes down what it is told to. In a test's process, or in its own in place of Whisper's:
`python -m tests.doubles.scripted_second_ear FD FOLDER`, what it says in FOLDER/says, how slow it is in FOLDER/slow.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ivr.speech.beside import GRAMMAR
from ivr.speech.grammar import load_grammar
from ivr.speech.second_line import SecondLine
from ivr.speech.second_process import Desk, run, stand_back

SPEECH_WITH_IT = (
    "-c",
    "import sys, ivr.cli, ivr.speech.second_keeper as k; k.missing = lambda _: '';"
    "k.PROGRAM = ('-m', 'tests.doubles.scripted_second_ear'); k.SILENT_S, k.HANG_S = 1.5, 3.0;"
    "sys.exit(ivr.cli.main(['speech']))",
)
"""`ivr speech` that starts this in place of Whisper; `script` says what it hears."""


def script(data_dir: Path, says: str, slow_s: float = 0) -> None:
    folder = data_dir / "models" / "second-ear"
    folder.mkdir(parents=True)
    (folder / "says").write_text(says)
    (folder / "slow").write_text(str(slow_s))


class Writes:
    """`says`, in turn, the last again and again; it waits for `go` before each."""

    def __init__(self, *says: str) -> None:
        self.says = list(says)
        self.lengths: list[int] = []
        """Of the utterances, in bytes."""
        self.go = threading.Event()
        self.go.set()

    def __call__(self, pcm: bytes) -> str:
        self.lengths.append(len(pcm))
        self.go.wait(10)
        text = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if text == "!":
            raise RuntimeError("我摔倒了")
        return text


@asynccontextmanager
async def connected(writes: Writes) -> AsyncIterator[tuple[SecondLine, Desk]]:
    """A worker's line to it, over real sockets."""
    desk = Desk(writes, load_grammar(GRAMMAR))
    working = asyncio.create_task(desk.work())
    line = SecondLine()
    await connect(line, desk)
    try:
        yield line, desk
    finally:
        writes.go.set()
        await line.close()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


async def connect(line: SecondLine, desk: Desk) -> None:
    one, other = socket.socketpair()
    desk.take_line(one)
    await line.attach(other)


def main(arguments: list[str]) -> None:
    folder = Path(arguments[1])
    stand_back()

    def write_down(_pcm: bytes) -> str:
        with contextlib.suppress(OSError):
            threading.Event().wait(float((folder / "slow").read_text()))
        return (folder / "says").read_text()

    asyncio.run(run(socket.socket(fileno=int(arguments[0])), write_down))


if __name__ == "__main__":
    main(sys.argv[1:])
