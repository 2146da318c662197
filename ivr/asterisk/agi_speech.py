"""Speech and keys together in one AGI step: `SPEECH CREATE / SET / RECOGNIZE`, and the ways in which they fail.

Facts (res_agi.c, res_speech_aeap.c of 22; measured on 22.10.1): RECOGNIZE plays the prompt, and a result or any key
ends it; its timeout is whole seconds from the end of the prompt; when the worker dies it ends after 1 s with
`results=0`; SET answers `result=1` also when it failed, after 1 s; nothing escapes the result's text.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ivr.asterisk.agi_protocol import AgiReply
from ivr.asterisk.fastagi import AgiSession
from ivr.callflows.call import Answer, CallerHungUp, Expect, Key, NoInput, NoMatch, Said

log = logging.getLogger(__name__)

CREATE_AT_MOST_S = 3.0
"""Asterisk connects within 2 s and waits 1 s for `setup` to be answered."""
SET_AT_MOST_S = 1.0
SILENT_AFTER_S = 0.8
"""A SET that took so long was not answered: the worker hangs. A healthy one takes 1 to 5 ms."""
UNKNOWN = "unknown"
"""What the workers report for speech that is none of the grammar's phrases."""
MOST_MISSES = 2
"""In one call: a question after a failure has one try left."""
MOST_WRONG_KEYS = 8
"""In one turn; who holds a key down must not keep the prompt from its end."""

_RESULT = re.compile(r'score0=(\d+) text0="([a-z0-9_.]+)" grammar0=')
_DIGIT = re.compile(r"digit=([0-9*#A-D])")

Renew = Callable[[float], Awaitable[None]]
ChooseEngine = Callable[[], str | None]
"""The recogniser's name in aeap.conf, or None when there is none or none is free."""


def no_ears() -> str | None:
    return None


@dataclass(slots=True)
class Ear:
    """A recogniser that listens to this channel, from `open` to `close`."""

    _agi: AgiSession
    _renew: Renew

    @classmethod
    async def open(cls, agi: AgiSession, renew: Renew, engine: str | None) -> Ear | None:
        """None when nobody can listen: the flow goes on with keys."""
        if engine is None:
            return None
        await renew(CREATE_AT_MOST_S)
        reply = await agi.command("SPEECH CREATE", engine)
        if reply.result != 1:
            log.warning("no recogniser for this call: keys and a person")
            return None
        return cls(agi, renew)

    async def set(self, name: str, value: str) -> bool:
        """False: the worker did not answer and must not be asked again."""
        began = asyncio.get_running_loop().time()
        await self._agi.command("SPEECH SET", name, value)
        answered = asyncio.get_running_loop().time() - began < SILENT_AFTER_S
        if not answered:
            log.warning("the recogniser of this call is silent: keys and a person")
        return answered

    async def begin(self, grammar: str, prompt_ms: str) -> bool:
        await self._renew(2 * SET_AT_MOST_S)
        return await self.set("prompt_ms", prompt_ms) and await self.set("grammar", grammar)

    async def recognise(self, prompt: str, timeout_s: int, offset_ms: int = 0) -> AgiReply:
        """Play and listen; raises CallerHungUp."""
        reply = await self._agi.command("SPEECH RECOGNIZE", prompt, str(timeout_s), str(offset_ms * 8))
        if reply.result < 0 or reply.data == "hangup":
            raise CallerHungUp
        return reply

    async def close(self) -> None:
        """Give the slot back: what is played or dialled next may take a while."""
        await self._agi.command("SPEECH DESTROY")


class EarLost(Exception):
    """The worker is gone: a RECOGNIZE ended without a result."""


def said(reply: AgiReply) -> Said | NoMatch | None:
    """What a RECOGNIZE that speech has ended was told; None when a key or time has ended it. Raises EarLost."""
    if reply.data != "speech":
        return None
    found = _RESULT.search(reply.rest)
    if found is None:
        raise EarLost
    return NoMatch() if found[2] == UNKNOWN else Said(found[2], int(found[1]))


@dataclass(slots=True)
class Question:
    """One `ask`; without an ear it is asked by keys."""

    prompt: str
    prompt_s: float
    expect: Expect
    within_s: float
    ear: Ear | None
    renew: Renew
    by_keys: Callable[[str, str, float], Awaitable[Answer]]
    misses: int = 0
    """Failures to understand, those of the call's earlier questions among them."""

    async def ask(self, repeats: int) -> Answer:
        before = self.misses
        for _ in range(repeats):
            answer = await self._turn()
            if isinstance(answer, Key | Said):
                break
            self.misses += isinstance(answer, NoMatch)
            if self.misses > before and self.misses >= MOST_MISSES:
                break
        else:
            answer = NoMatch() if self.misses > before else NoInput()
        if self.ear is not None:
            await self.ear.close()
        return answer

    async def _turn(self) -> Answer:
        grammar = self.expect.grammar
        if self.ear is not None and grammar is not None:
            try:
                if await self.ear.begin(grammar, str(round(self.prompt_s * 1000))):
                    return await self._by_ear(self.ear)
            except EarLost:
                log.warning("the recogniser of this call is gone: keys and a person")
            await self.ear.close()
            self.ear = None
        if self.expect.by_ear_only:
            return NoInput()
        return await self.by_keys(self.prompt, self.expect.keys, self.within_s)

    async def _by_ear(self, ear: Ear) -> Answer:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(MOST_WRONG_KEYS):
            elapsed = loop.time() - began
            left_s = self.prompt_s + self.within_s - elapsed
            if left_s <= 0:
                break
            await self.renew(left_s + 1)  # timeouts are whole seconds
            reply = await ear.recognise(self.prompt, math.ceil(self.within_s), round(elapsed * 1000))
            if (heard := said(reply)) is not None:
                return heard
            digit = _DIGIT.search(reply.rest) if reply.data == "digit" else None
            if digit is None:
                break
            if digit[1] in self.expect.keys:
                return Key(digit[1])
            # Another key: the prompt goes on where it was, and so does the recogniser.
        return NoInput()
