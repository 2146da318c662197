"""The FastAGI server against Asterisk's side of a real socket: well-meaning, dying, and hostile."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from ivr.asterisk import agi_call
from ivr.asterisk.agi_call import AgiCall
from ivr.asterisk.agi_protocol import AgiProtocolError
from ivr.asterisk.fastagi import AgiServer, AgiSession
from ivr.callflows.call import CallerHungUp, Expect, Key, NoInput
from tests.calls.harness import PortBlock
from tests.doubles.asterisk_side import AsteriskSide, greeting
from tests.doubles.patience import until

Handler = Callable[[AgiSession], Awaitable[None]]


@pytest.fixture
def port() -> Iterator[int]:
    with PortBlock(100) as block:
        yield block.take()


@asynccontextmanager
async def served(port: int, handler: Handler) -> AsyncIterator[AgiServer]:
    async with AgiServer(port, handler) as server:
        yield server


async def two_commands(session: AgiSession) -> None:
    await session.command("NOOP", "1")
    await session.command("NOOP", "2")


async def goes_well(port: int) -> None:
    """A call that comes now is served within a second."""
    began = time.monotonic()
    async with AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        assert await asterisk.serve() == ['NOOP "1"', 'NOOP "2"']
    assert time.monotonic() - began < 1


async def until_quiet(server: AgiServer) -> None:
    await until(lambda: not server.sessions)


class Watched:
    """A handler that keeps how it ended."""

    def __init__(self, flow: Handler = two_commands) -> None:
        self._flow = flow
        self.ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def __call__(self, session: AgiSession) -> None:
        try:
            await self._flow(session)
        except BaseException as exc:
            if not self.ended.done():
                self.ended.set_result(exc)
            raise
        if not self.ended.done():
            self.ended.set_result(None)

    async def how(self) -> BaseException | None:
        return await asyncio.wait_for(self.ended, 5)


async def test_a_call_is_served_command_by_command(port: int) -> None:
    async with served(port, two_commands) as server:
        await goes_well(port)
        await until_quiet(server)


@pytest.mark.parametrize(
    "said",
    [b"HANGUP\n", b"HANGUP\n200 result=0\n", b"511 Command Not Permitted on a dead channel or intercept routine\n"],
)
async def test_a_caller_who_is_gone_ends_the_journey_and_no_further_command_is_sent(port: int, said: bytes) -> None:
    handler = Watched()
    async with served(port, handler) as server, AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        await asterisk.command()
        await asterisk.say(said)
        assert isinstance(await handler.how(), CallerHungUp)
        assert await asterisk.command() == ""
        await until_quiet(server)


async def test_hangup_between_two_replies_is_never_taken_for_a_reply(port: int) -> None:
    async def presses(session: AgiSession) -> None:
        first = await session.command("STREAM FILE", "x", "1")
        assert first.result == 49
        await session.command("NOOP")

    handler = Watched(presses)
    async with served(port, handler), AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        await asterisk.command()
        await asterisk.say(b"200 result=49 endpos=100\nHANGUP\n")
        assert isinstance(await handler.how(), CallerHungUp)


async def test_a_usage_text_is_skipped_whole_and_ends_the_step(port: int) -> None:
    handler = Watched()
    async with served(port, handler), AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        await asterisk.command()
        await asterisk.say(
            b"520-Invalid command syntax.  Proper usage follows:\nUsage: NOOP [text]\n\n520 End of proper usage.\n"
        )
        assert isinstance(await handler.how(), AgiProtocolError)
        assert await asterisk.command() == "", "closed without the marker: the dialplan's other way"


async def test_an_application_that_returns_1_is_followed_by_a_usage_text_that_answers_nothing(port: int) -> None:
    """res_agi.c: EXEC's 1 is RESULT_SHOWUSAGE; the text that follows belongs to the command before."""

    async def answers_and_plays(session: AgiSession) -> None:
        assert (await session.command("EXEC", "Answer", ",i")).result == 1
        assert (await session.command("STREAM FILE", "x", "")).endpos == 8000

    handler = Watched(answers_and_plays)
    async with served(port, handler), AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        await asterisk.command()
        await asterisk.say(
            b"200 result=1\n520-Invalid command syntax.  Proper usage follows:\nUsage: EXEC <application>\n"
            b"520 End of proper usage.\n"
        )
        await asterisk.command()
        await asterisk.say(b"200 result=0 endpos=8000\n")
        assert await handler.how() is None


@pytest.mark.parametrize("said", [b"200\n", b"200 result=\n", b"200 OK\n", b"510 Invalid or unknown command\n"])
async def test_an_answer_that_is_none_ends_the_step(port: int, said: bytes) -> None:
    handler = Watched()
    async with served(port, handler), AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        await asterisk.command()
        await asterisk.say(said + b"200 result=0\n")
        assert isinstance(await handler.how(), AgiProtocolError)
        assert await asterisk.closed()


async def test_replies_in_pieces_and_in_one_lump_are_the_same(port: int) -> None:
    async with served(port, two_commands), AsteriskSide(port) as asterisk:
        for byte in greeting():
            await asterisk.say(bytes([byte]))
        assert await asterisk.command() == 'NOOP "1"'
        for byte in b"200 result=0\n":
            await asterisk.say(bytes([byte]))
            await asyncio.sleep(0.002)
        assert await asterisk.command() == 'NOOP "2"'
        await asterisk.say(b"200 result=0\n")
        assert await asterisk.command() == ""


@pytest.mark.parametrize(
    "stranger",
    [
        b"",
        b"\n",
        b"agi_network: yes\nagi_netw",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\n\n",
        b"agi_network: yes\n\n",
        b"\x16\x03\x01" * 1000,
    ],
    ids=["nothing", "blank", "half", "http", "empty", "no-id", "tls"],
)
async def test_who_connects_and_leaves_costs_nobody_a_call(port: int, stranger: bytes) -> None:
    handled: list[AgiSession] = []

    async def handler(session: AgiSession) -> None:
        handled.append(session)
        await two_commands(session)

    async with served(port, handler) as server:
        async with AsteriskSide(port) as asterisk:
            if stranger:
                await asterisk.say(stranger)
        await until_quiet(server)
        assert handled == []
        await goes_well(port)


async def test_a_greeting_that_never_ends_is_cut_after_a_second(port: int) -> None:
    async with served(port, two_commands) as server, AsteriskSide(port) as asterisk:
        began = time.monotonic()
        await asterisk.say(b"agi_network: yes\n")
        await goes_well(port)
        assert await asterisk.closed(within=3)
        assert time.monotonic() - began < 2.5
        await until_quiet(server)


async def test_a_megabyte_without_a_line_end_is_cut_at_once(port: int) -> None:
    async with served(port, two_commands) as server, AsteriskSide(port) as asterisk:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):  # the engine may close while we still write
            for _ in range(64):
                await asterisk.say(b"a" * 16_384)
        assert await asterisk.closed(within=3)
        assert time.monotonic() - began < 1, "not only when the greeting is overdue"
        await until_quiet(server)
        await goes_well(port)


async def test_a_reply_line_without_an_end_ends_the_step_and_nobody_elses(port: int) -> None:
    handler = Watched()
    async with served(port, handler):
        async with AsteriskSide(port) as asterisk:
            await asterisk.say(greeting())
            await asterisk.command()
            await asterisk.say(b"2" * 100_000)
            assert isinstance(await handler.how(), AgiProtocolError)
        await goes_well(port)


async def test_a_name_of_ten_kilobytes_a_broken_one_and_one_with_line_breaks_are_served(port: int) -> None:
    names: list[str | bytes] = ["王" * 3400, b"\xff\xfe\xe7\x8e", 'a\r\nagi_arg_1: x\n"b\\"', "${SHELL(id)}"]
    seen: list[str] = []

    async def handler(session: AgiSession) -> None:
        seen.append(session.argument(1))
        await two_commands(session)

    async with served(port, handler):
        for name in names:
            async with AsteriskSide(port) as asterisk:
                await asterisk.say(greeting(agi_calleridname=name))
                assert await asterisk.serve() == ['NOOP "1"', 'NOOP "2"']
    assert seen == ["12349"] * 4


async def test_three_hundred_calls_at_once_are_all_served(port: int) -> None:
    async def one() -> int:
        async with AsteriskSide(port) as asterisk:
            await asterisk.say(greeting())
            return len(await asterisk.serve())

    async with served(port, two_commands) as server:
        served_commands = await asyncio.gather(*(one() for _ in range(300)))
        assert served_commands == [2] * 300
        await until_quiet(server)


async def test_a_call_is_served_while_hundreds_say_nothing(port: int) -> None:
    async with served(port, two_commands) as server:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
        await goes_well(port)
        for _, writer in silent:
            writer.close()
        await until_quiet(server)


async def test_a_flow_that_fails_closes_the_connection_and_the_next_call_is_served(port: int) -> None:
    failures = iter([ZeroDivisionError("a fault of ours"), None])

    async def handler(session: AgiSession) -> None:
        failure = next(failures)
        if failure is not None:
            raise failure
        await two_commands(session)

    async with served(port, handler):
        async with AsteriskSide(port) as asterisk:
            await asterisk.say(greeting())
            assert await asterisk.command() == "", "no marker was set"
        await goes_well(port)


async def test_when_the_engine_stops_open_sessions_end_without_the_marker(port: int) -> None:
    server = AgiServer(port, two_commands)
    await server.__aenter__()
    async with AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        assert await asterisk.command() == 'NOOP "1"'
        await server.__aexit__()
        assert await asterisk.command() == ""


# ---- the verbs of a call


async def journey(port: int, flow: Callable[[AgiCall], Awaitable[object]], answers: dict[str, bytes]) -> list[str]:
    """Run `flow` on a call whose prompts last 2 s; the commands it sent."""

    async def handler(session: AgiSession) -> None:
        await flow(AgiCall(session, lambda _: 2.0, did="12349", caller="+86 21 5000 1111"))

    async with served(port, handler), AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        return await asterisk.serve(answers)


async def test_the_lease_is_renewed_before_every_prompt_for_longer_than_it_plays(port: int) -> None:
    async def flow(call: AgiCall) -> None:
        assert call.caller_id == "02150001111"
        await call.answer()
        await call.play("hotline/greeting")
        await call.enter_queue("C1")

    assert await journey(port, flow, {"STREAM FILE": b"200 result=0 endpos=16000\n"}) == [
        'EXEC "MSet" "TIMEOUT(absolute)=4,IVR_SEEN=1,CHANNEL(hangup_handler_pop)="',
        'EXEC "Answer" ",i"',
        'SET AUTOHANGUP "6"',
        'STREAM FILE "hotline/greeting" ""',
        'EXEC "MSet" "TIMEOUT(absolute)=4,IVR_SEEN=1,CHANNEL(hangup_handler_pop)=,'
        'IVR_CALL=C1,IVR_ROUTE=queue,IVR_DONE=1"',
    ]


@pytest.mark.parametrize(
    ("uniqueid", "age_s", "probed"),
    [
        ("{}.7", 0, False),
        ("node-a-{}.7", 0, False),
        ("{}.7", 6, True),  # we hung meanwhile
        ("{}.7", -60, True),  # the clock was set back: we cannot know
        ("x", 0, True),
    ],
)
async def test_only_a_call_that_comes_late_is_asked_whether_it_is_still_ours(
    port: int, uniqueid: str, age_s: int, probed: bool
) -> None:
    async def handler(session: AgiSession) -> None:
        call = AgiCall(session, lambda _prompt: 1.0)
        call.uniqueid = uniqueid.format(int(time.time()) - age_s)
        await call.still_ours()

    async with served(port, handler), AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        assert await asterisk.serve() == (['SET AUTOHANGUP "4"'] if probed else [])


async def test_a_key_in_mid_prompt_ends_it_and_a_wrong_key_does_not_count(port: int) -> None:
    got: list[object] = []

    async def presses_one(call: AgiCall) -> None:
        got.append(await call.ask("family/alarm", Expect("12"), within_s=4, repeats=2))

    sent = await journey(port, presses_one, {"STREAM FILE": b"200 result=49 endpos=100\n"})
    assert got == [Key("1")]
    assert not any(line.startswith("WAIT FOR DIGIT") for line in sent)
    got.clear()
    sent = await journey(
        port, presses_one, {"STREAM FILE": b"200 result=0 endpos=100\n", "WAIT FOR DIGIT": b"200 result=55\n"}
    )
    assert got == [NoInput()]
    assert sum(line.startswith("STREAM FILE") for line in sent) == 2, "asked twice"
    assert sent.count('WAIT FOR DIGIT "4000"') == 2


@pytest.mark.parametrize("verb", ["SET AUTOHANGUP", "STREAM FILE", "WAIT FOR DIGIT"])
async def test_minus_one_in_mid_prompt_is_a_caller_who_hung_up(port: int, verb: str) -> None:
    ended: list[str] = []

    async def flow(call: AgiCall) -> None:
        try:
            await call.ask("family/alarm", Expect("12"), within_s=4, repeats=2)
        except CallerHungUp:
            ended.append("hung up")
            raise

    sent = await journey(port, flow, {verb: b"200 result=-1\n"})
    assert ended == ["hung up"]
    assert sent[-1].startswith(verb)


async def test_a_key_that_asterisk_awaits_for_ever_is_not_awaited_by_us(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts by the wall clock, which was set back: our end closes, and the dialplan takes the caller on."""
    monkeypatch.setattr(agi_call, "LEASE_MARGIN_S", 0.1)

    async def asks(session: AgiSession) -> None:
        await AgiCall(session, lambda _prompt: 0.1).ask("family/alarm", Expect("12"), within_s=0.1, repeats=1)

    async with served(port, asks) as server, AsteriskSide(port) as asterisk:
        await asterisk.say(greeting())
        while not (await asterisk.command()).startswith("WAIT FOR DIGIT"):
            await asterisk.say(b"200 result=0 endpos=1\n")
        assert asterisk.commands[-1].startswith("WAIT FOR DIGIT")
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert await asterisk.command() == "", "closed"
        assert time.monotonic() - began < 2
        await until_quiet(server)
