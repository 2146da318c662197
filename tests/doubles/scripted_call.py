"""A call without a telephone: its far end follows a script, and what was done to it is kept in order."""

from __future__ import annotations

from ivr.callflows.call import Answer, CallerHungUp, Expect, Key, NoInput, NoMatch, Said


class ScriptedCall:
    """`presses`: what each `ask` gets, in turn: a key, an id that was said, "?" for speech nobody understood, "" for
    nothing. `gone_at`: the verb during which the caller hangs up.

    `story` is shared with the desks of a test, so that the order of words and records can be told.
    """

    def __init__(
        self,
        *presses: str,
        story: list[str] | None = None,
        gone_at: str = "",
        caller_id: str = "02150001111",
        did: str = "12349",
    ) -> None:
        self.uniqueid = "1700000000.1"
        self.linkedid = "1700000000.1"
        self.hears = False
        self.did = did
        self.caller_id = caller_id
        self.story: list[str] = [] if story is None else story
        self._presses = list(presses)
        self._gone_at = gone_at

    def _do(self, verb: str, *words: str) -> None:
        self.story.append(" ".join([verb, *words]))
        if self._gone_at and self.story[-1].startswith(self._gone_at):
            raise CallerHungUp

    @property
    def left(self) -> bool:
        """AGI was left with a way to go on: without it the lifeline would have the call."""
        return bool(self.story) and self.story[-1].split()[0] in ("room", "queue", "duty", "lifeline", "hangup")

    async def still_ours(self) -> None:
        self._do("still ours")

    async def answer(self) -> None:
        self._do("answer")

    async def play(self, prompt: str) -> None:
        self._do("play", prompt)

    async def ask(self, prompt: str, expect: Expect, *, within_s: float, repeats: int) -> Answer:
        assert within_s > 0
        assert repeats > 0
        self._do("ask", prompt, expect.keys)
        answer = self._presses.pop(0) if self._presses else ""
        if answer == "?":
            return NoMatch()
        if len(answer) > 1:
            assert expect.grammar, "nothing can be said here"
            return Said(answer)
        return Key(answer) if answer and answer in expect.keys else NoInput()

    async def enter_room(self, room: str, user: str) -> None:
        self._do("room", room, user)

    async def enter_queue(self, call_id: str) -> None:
        self._do("queue", call_id)

    async def ring_duty_phone(self, call_id: str) -> None:
        self._do("duty", call_id)

    async def enter_lifeline(self) -> None:
        self._do("lifeline")

    async def hang_up(self) -> None:
        self._do("hangup")
