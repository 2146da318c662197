"""Beside a caller who waits in the queue: an ear that he is told of, and that can do nothing but raise."""

from __future__ import annotations

from typing import Protocol

from ivr.callflows.call import Said
from ivr.services.listening_desk import ListeningDesk

GRAMMAR = "listen"


class Listener(Protocol):
    """Hears another channel."""

    async def hear(self, grammar: str, saying: str | None) -> Said | None:
        """The next thing of the grammar that he says; None when there is no recogniser (any more).

        `saying`: a prompt that he hears in his music meanwhile; it waits for nothing, and his word ends it.

        Raises:
            CallerHungUp: he is not waiting any more, or nobody may listen.
        """
        ...


async def listen_to_waiting(listener: Listener, desk: ListeningDesk, uniqueid: str) -> None:
    call = await desk.waiting(uniqueid)
    if call is None:  # somebody took it meanwhile, or it is an emergency already
        return
    saying: str | None = "speech/tell_us"  # nobody is listened to who has not been told
    while (said := await listener.hear(GRAMMAR, saying)) is not None:
        if said.is_distress:
            await desk.distress(call, said.meaning, said.score)
            return
        noted = await desk.noted(call, said.meaning, said.score)
        saying = "speech/noted" if noted else None
