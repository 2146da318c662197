"""Who waits in the queue is heard: one Local channel each, of which one half is a ChanSpy and the other an AGI step."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Container, Coroutine, Mapping

from ivr.asterisk.agi_speech import Ear, EarLost, Renew, said
from ivr.asterisk.ami import AmiError, AmiRefused
from ivr.asterisk.config import SILENCE
from ivr.asterisk.fastagi import AgiSession
from ivr.asterisk.link import AsteriskLink
from ivr.callflows.call import Said

log = logging.getLogger(__name__)

PREFIX = "listen-"
"""Of both halves' uniqueids: what happens to such a channel is on nobody's record."""
ROUND_S = 8
"""One RECOGNIZE; the lease is renewed between two. Asterisk notices only then that the engine is gone."""
SPOKEN_S = 1
"""After a prompt: its length comes on top, and a round should not be longer for it."""
MOVE_RETRY_S = (0.2, 1.0)
_CHANNEL = re.compile(r"PJSIP/[A-Za-z0-9_.-]{1,80}-[0-9a-f]{8,16}")


def is_listener(uniqueid: str) -> bool:
    return uniqueid.startswith(PREFIX)


class WaitingEars:
    """Implements `WaitingLine`. `may_listen` says whether a stream is free that emergencies do not need."""

    def __init__(self, link: AsteriskLink, may_listen: Callable[[], bool]) -> None:
        self._link = link
        self._may_listen = may_listen
        self._waiting: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- told by Asterisk's events

    def joined(self, uniqueid: str, channel: str) -> None:
        if uniqueid in self._waiting:
            return
        self._waiting[uniqueid] = channel
        if self._may_listen() and _CHANNEL.fullmatch(channel):
            self._spawn(self._start(uniqueid, channel))

    def left(self, uniqueid: str) -> None:
        """Answered, gone, or moved: the ear goes too. ChanSpy ends by itself when the channel does, not before."""
        if self._waiting.pop(uniqueid, None) is not None:
            self._spawn(self._stop(uniqueid))

    def agree_with(self, waiting: Mapping[str, str], channels: Container[str]) -> None:
        """Asterisk's own list of who waits (uniqueid -> channel), and of all channels: the truth after a gap, and the
        time for an ear that was lost or could not be had."""
        for uniqueid in self._waiting.keys() - waiting.keys():
            self.left(uniqueid)
        for uniqueid, channel in waiting.items():
            if f"{PREFIX}{uniqueid}" not in channels:
                self._waiting.pop(uniqueid, None)
            self.joined(uniqueid, channel)

    def _spawn(self, deed: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(deed, name="ear")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, uniqueid: str, channel: str) -> None:
        try:
            await self._link.act(
                "Originate",
                ChannelId=f"{PREFIX}{uniqueid}",
                OtherChannelId=f"{PREFIX}{uniqueid}-2",
                Channel="Local/s@spy/n",
                Context="listen",
                Exten="s",
                Priority="1",
                Timeout="5000",
                Variable=[f"__IVR_SPY={channel}", f"__IVR_HEARD={uniqueid}"],
                Async="true",
            )
        except AmiError as exc:
            log.warning("a waiting caller is not listened to: %s", exc)

    async def _stop(self, uniqueid: str) -> None:
        try:
            await self._link.act("Hangup", Channel=f"{PREFIX}{uniqueid}", Cause="16")
        except AmiRefused:  # there was none, or it has ended by itself
            pass
        except AmiError as exc:
            log.warning("an ear could not be told to go: %s", exc)

    # ---- told by the listening desk

    async def move_to_room(self, uniqueid: str, room: str) -> bool:
        return await self._move(uniqueid, "raised", room)

    async def move_to_lifeline(self, uniqueid: str) -> bool:
        return await self._move(uniqueid, "cried", "s")

    async def _move(self, uniqueid: str, context: str, extension: str) -> bool:
        for pause in (*MOVE_RETRY_S, None):
            channel = self._waiting.get(uniqueid)
            if channel is None:
                return False
            try:
                await self._link.act("Redirect", Channel=channel, Context=context, Exten=extension, Priority="1")
                return True
            except AmiRefused:
                return False
            except AmiError as exc:
                log.error("a caller in distress could not be moved: %s", exc)
            if pause is not None:
                await asyncio.sleep(pause)
        return False


class AgiListener:
    """The `Listener` of one AGI step."""

    def __init__(
        self, session: AgiSession, renew: Renew, engine: str | None, prompt_seconds: Callable[[str], float]
    ) -> None:
        self._agi = session
        self._renew = renew
        self._seconds = prompt_seconds
        self._engine = engine
        self._ear: Ear | None = None

    async def hear(self, grammar: str, saying: str | None) -> Said | None:
        if self._ear is None:
            self._ear = await Ear.open(self._agi, self._renew, self._engine)
        if self._ear is None:
            return None
        if not await self._ear.begin(grammar, "never"):
            return None
        prompt, within = (saying, SPOKEN_S) if saying else (SILENCE, ROUND_S)
        while True:
            await self._renew(self._seconds(prompt) + within + 2)
            try:
                heard = said(await self._ear.recognise(prompt, within))
            except EarLost:
                return None
            prompt, within = SILENCE, ROUND_S
            if isinstance(heard, Said):
                return heard
