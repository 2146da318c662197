"""The synthesiser, in a process of its own: it may be slow, hang or die, and nobody on the telephone notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from pathlib import Path

from ivr.prompts.tools import MODEL, VOICES
from ivr.settings import PROJECT_ROOT, Settings

log = logging.getLogger(__name__)

START_S = SAY_S = 900.0
"""Seconds of work, but it runs only when the processor has nothing else to do, and on a busy one that takes long."""
SPEED = 0.83
"""That of our other words."""
LARGEST = 2_000_000
"""Bytes of A-law: four minutes."""


class VoiceMissing(Exception):
    """There is no synthesiser on this machine, or it does not start."""


class Unspeakable(Exception):
    """This text cannot be said; the reason names no part of it."""


def kokoro_folder() -> Path:
    return PROJECT_ROOT / "build" / "kokoro"


def find_voice(settings: Settings) -> Path | None:
    """The Python that has the synthesiser, or None; it is looked for, never fetched."""
    python = (
        Path(settings.voice_python).expanduser()
        if settings.voice_python
        else PROJECT_ROOT / "build" / "prompts-venv" / "bin" / "python"
    )
    there = all(path.is_file() for path in (python, kokoro_folder() / MODEL, kokoro_folder() / VOICES))
    return python if there else None


class Synthesiser:
    """`async with Synthesiser(python, folder) as voice: await voice.say(text)`. One text at a time."""

    def __init__(self, python: Path, folder: Path, *, polite: bool = True) -> None:
        """`polite`: only when the processor is idle; else merely with a low priority, for somebody who waits."""
        self._command = [str(python), "-m", "ivr.prompts.say", str(folder), *(["--idle"] if polite else [])]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Synthesiser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def rest(self) -> None:
        """Give its memory back (600 MB) until the next text; starting again takes seconds."""
        await self._end()

    async def say(self, text: str) -> bytes:
        """A-law of one text.

        Raises:
            VoiceMissing: it does not start, or ended; the next call starts it anew.
            Unspeakable: this text cannot be said.
        """
        try:
            process = await self._started()
            assert process.stdin is not None
            process.stdin.write(json.dumps({"text": text, "speed": SPEED}).encode() + b"\n")
            await process.stdin.drain()
            why, audio = await self._answer(process, SAY_S)
        except (OSError, TimeoutError, EOFError, ValueError, KeyError) as error:
            await self._end()
            raise VoiceMissing(type(error).__name__) from None  # the text itself must not come along
        except asyncio.CancelledError:
            await self._end()
            raise
        if why or not audio:
            raise Unspeakable(why or "nothing came")
        return audio

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=PROJECT_ROOT,
            env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"},
        )
        why, _ = await self._answer(self._process, START_S)
        if why:
            log.warning("the synthesiser does not start: %s", why)
            raise EOFError
        return self._process

    async def _answer(self, process: asyncio.subprocess.Process, within_s: float) -> tuple[str, bytes]:
        assert process.stdout is not None
        async with asyncio.timeout(within_s):
            line = await process.stdout.readline()
            if not line:
                raise EOFError
            head = json.loads(line)
            size = int(head["bytes"])
            if not 0 <= size <= LARGEST:
                raise ValueError
            return str(head["why"]), await process.stdout.readexactly(size)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
