"""Asking whom we dialled. A machine may have answered: nothing but a clear yes is one, and the search goes on."""

from __future__ import annotations

from ivr.callflows.call import Answer, Call, Expect, Key, NoInput, NoMatch, Said

ACCEPT = "accept"
"""The grammar of every such question; its ids are `accept`, `decline` and `again`."""
WITHIN_S = 4
TELL_AGAIN = 3
"""So often the question is told; whoever asks on is no person."""


class Dialled:
    """Who was not understood twice hears `press_instead`, and is asked by keys alone from there on."""

    def __init__(self, call: Call, press_instead: str) -> None:
        self._call = call
        self._press_instead = press_instead
        self._by_voice = True

    async def ask(self, prompt: str, expect: Expect, *, repeats: int) -> Answer:
        keys = Expect(expect.keys)
        answer = await self._call.ask(prompt, expect if self._by_voice else keys, within_s=WITHIN_S, repeats=repeats)
        if isinstance(answer, NoMatch):
            self._by_voice = False
            answer = await self._call.ask(self._press_instead, keys, within_s=WITHIN_S, repeats=1)
        return answer


async def ask_again(
    call: Call, prompt: str, expect: Expect, press_instead: str, *, repeats: int = 2, times: int = TELL_AGAIN
) -> Answer:
    """`Dialled.ask`, where key 3 or "please say it again" plays the prompt once more."""
    dialled = Dialled(call, press_instead)
    for _ in range(times):
        answer = await dialled.ask(prompt, expect, repeats=repeats)
        match answer:
            case Key("3") | Said("again"):
                continue
            case _:
                return answer
    return NoInput()
