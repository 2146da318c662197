"""The AMI adapter against a manager interface that answers badly: what panoramisk does wrong is put right."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from ivr.asterisk.ami import (
    AmiEvent,
    AmiRefused,
    AmiSession,
    AmiUnavailable,
    AmiUnconfirmed,
    keep_session,
)
from ivr.asterisk.link import AsteriskLink, Item, Snapshot
from tests.calls.harness import PortBlock
from tests.doubles.fake_ami import FakeAmi, error, listing, message, success, value, values
from tests.doubles.patience import until


@pytest.fixture
def port() -> Iterator[int]:
    with PortBlock(100) as block:
        yield block.take()


@pytest.fixture
async def ami(port: int) -> AsyncIterator[FakeAmi]:
    async with FakeAmi(port) as fake:
        yield fake


class Heard:
    """Events as they come, and waiting for them."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[AmiEvent] = asyncio.Queue()

    async def next(self, name: str, within: float = 5.0) -> AmiEvent:
        async with asyncio.timeout(within):
            while True:
                event = await self.events.get()
                if event.name == name:
                    return event


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def session(ami: FakeAmi, heard: Heard) -> AsyncIterator[AmiSession]:
    made = await AmiSession.connect(ami.port, "ivr", "right", heard.events.put_nowait)
    yield made
    made.close()


# ---- logging in


async def test_a_wrong_secret_is_refused_once_and_not_tried_for_ever(ami: FakeAmi) -> None:
    with pytest.raises(AmiRefused, match="log-in of ivr refused"):
        await AmiSession.connect(ami.port, "ivr", "wrong", None)
    assert ami.logins == 0


async def test_nobody_listens(port: int) -> None:
    with pytest.raises(AmiUnavailable):
        await AmiSession.connect(port, "ivr", "right", None)


async def test_a_peer_that_accepts_and_says_nothing_is_unavailable_in_time(ami: FakeAmi) -> None:
    ami.silent = True
    began = time.monotonic()
    with pytest.raises(AmiUnavailable):
        await AmiSession.connect(ami.port, "ivr", "right", None, within_s=0.5)
    assert time.monotonic() - began < 2


async def test_a_peer_that_is_no_asterisk_is_unavailable(port: int) -> None:
    async def web(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(web, "127.0.0.1", port):
        with pytest.raises(AmiUnavailable):
            await AmiSession.connect(port, "ivr", "right", None, within_s=0.5)


# ---- events


async def test_a_chinese_character_split_over_two_segments_arrives_whole(
    ami: FakeAmi, session: AmiSession, heard: Heard
) -> None:
    data = message(("Event", "Newstate"), ("CallerIDName", "张三李四王五"))
    middle = data.index("李".encode()) + 1
    await ami.send(data[:middle], data[middle : middle + 1], data[middle + 1 :])
    assert (await heard.next("Newstate"))["calleridname"] == "张三李四王五"


async def test_a_broken_byte_costs_one_character_and_not_the_session(
    ami: FakeAmi, session: AmiSession, heard: Heard
) -> None:
    await ami.send(b"Event: Newstate\r\nCallerIDName: \xe7\x8e\xff\xfe!\r\nUniqueid: 1.1\r\n\r\n")
    event = await heard.next("Newstate")
    assert "\ufffd" in event["calleridname"]
    assert event["uniqueid"] == "1.1"
    assert (await session.action("Ping"))["ping"] == "Pong"


async def test_a_name_of_ten_kilobytes_in_many_segments_arrives_whole(
    ami: FakeAmi, session: AmiSession, heard: Heard
) -> None:
    data = message(("Event", "Newstate"), ("CallerIDName", "王" * 3400))
    await ami.send(*(data[i : i + 1000] for i in range(0, len(data), 1000)), pause_s=0)
    assert (await heard.next("Newstate"))["calleridname"] == "王" * 3400


async def test_events_keep_their_order(ami: FakeAmi, session: AmiSession, heard: Heard) -> None:
    await ami.send(b"".join(message(("Event", "Newstate"), ("N", str(n))) for n in range(500)))
    assert [(await heard.next("Newstate"))["n"] for _ in range(500)] == [str(n) for n in range(500)]


async def test_a_repeated_header_counts_as_the_last_and_a_missing_one_is_empty(
    ami: FakeAmi, session: AmiSession, heard: Heard
) -> None:
    await ami.send(message(("Event", "Newstate"), ("ChanVariable", "A=1"), ("ChanVariable", "B=2")))
    event = await heard.next("Newstate")
    assert event["chanvariable"] == "B=2"
    assert event["uniqueid"] == ""


async def test_the_result_of_an_originate_is_an_event_although_it_carries_the_actionid(
    ami: FakeAmi, session: AmiSession, heard: Heard
) -> None:
    await session.action("Originate", ActionID="01ATTEMPT", Async="true")
    await ami.send(message(("Event", "OriginateResponse"), ("ActionID", "01ATTEMPT"), ("Response", "Failure")))
    assert (await heard.next("OriginateResponse"))["actionid"] == "01ATTEMPT"


# ---- actions


async def test_a_refusal_says_what_asterisk_said(ami: FakeAmi, session: AmiSession) -> None:
    ami.answers["Hangup"] = lambda a: error(a, "No such channel")
    with pytest.raises(AmiRefused, match="No such channel"):
        await session.action("Hangup", Channel="x")


@pytest.mark.parametrize("evil", ["x\r\nAction: Command\r\nCommand: core stop now", "x\ny", "x\0"])
async def test_a_line_break_in_a_value_is_refused_and_nothing_is_sent(
    ami: FakeAmi, session: AmiSession, evil: str
) -> None:
    for fields in ({"CallerID": evil}, {"Variable": ["A=1", f"B={evil}"]}):
        with pytest.raises(ValueError, match="line break"):
            await session.action("Originate", **fields)
    await session.action("Ping")
    assert [value(a, "Action") for a in ami.actions] == ["Ping"]


async def test_variables_are_sent_one_header_each(ami: FakeAmi, session: AmiSession) -> None:
    await session.action("Originate", Variable=["A=1", "B=2"], Async="true")
    assert values(ami.sent("Originate")[0], "Variable") == ["A=1", "B=2"]


async def test_a_list_is_its_rows_and_ends(ami: FakeAmi, session: AmiSession) -> None:
    rows = [{"Uniqueid": "1.1"}, {"Uniqueid": "1.2"}]
    ami.answers["CoreShowChannels"] = lambda a: listing(a, "CoreShowChannel", *rows)
    assert [e["uniqueid"] for e in await session.listing("CoreShowChannels")] == ["1.1", "1.2"]
    ami.answers["CoreShowChannels"] = lambda a: listing(a, "CoreShowChannel")
    assert await session.listing("CoreShowChannels") == []


async def test_a_list_that_is_refused_says_so(ami: FakeAmi, session: AmiSession) -> None:
    ami.answers["QueueStatus"] = lambda a: error(a, "Permission denied")
    with pytest.raises(AmiRefused, match="Permission denied"):
        await session.listing("QueueStatus")


async def test_a_list_that_never_ends_is_unconfirmed_in_time(ami: FakeAmi, session: AmiSession) -> None:
    ami.answers["CoreShowChannels"] = lambda a: listing(a, "CoreShowChannel", {"Uniqueid": "1.1"}, complete=False)
    with pytest.raises(AmiUnconfirmed):
        await session.listing("CoreShowChannels", within_s=0.3)
    assert (await session.action("Ping"))["ping"] == "Pong", "the session goes on"


async def test_an_action_without_an_answer_is_unconfirmed_in_time(ami: FakeAmi, session: AmiSession) -> None:
    ami.answers["Originate"] = lambda _: None
    with pytest.raises(AmiUnconfirmed):
        await session.action("Originate", Async="true", within_s=0.3)


async def test_answers_find_their_questions_in_any_order(ami: FakeAmi, session: AmiSession) -> None:
    kept: list[bytes] = []

    def late(action: list[tuple[str, str]]) -> bytes | None:
        kept.insert(0, success(action, ("N", value(action, "N"))))
        return b"".join(kept) if len(kept) == 3 else None

    ami.answers["Status"] = late
    answers = await asyncio.gather(*(session.action("Status", N=str(n)) for n in range(3)))
    assert [answer["n"] for answer in answers] == ["0", "1", "2"]


# ---- the link is lost


async def test_a_peer_that_falls_silent_is_lost(ami: FakeAmi, session: AmiSession) -> None:
    watching = asyncio.create_task(session.watch(interval_s=0.2, answer_within_s=0.2))
    await ami.until("Ping", 2)
    assert not session.lost.is_set()
    ami.silent = True
    await asyncio.wait_for(watching, 2)
    assert session.lost.is_set()
    with pytest.raises(AmiUnavailable):
        await session.action("Ping")


async def test_a_link_that_is_cut_fails_what_waits_at_once_and_sends_nothing_more(
    ami: FakeAmi, session: AmiSession
) -> None:
    ami.answers["Originate"] = lambda _: None
    waiting = asyncio.create_task(session.action("Originate", Async="true", within_s=10))
    await ami.until("Originate")
    ami.cut()
    with pytest.raises(AmiUnconfirmed):
        await asyncio.wait_for(waiting, 1)
    with pytest.raises(AmiUnavailable):
        await session.action("Originate", Async="true")
    await asyncio.sleep(2.5)  # panoramisk's own reconnect would come after 2 s
    assert ami.logins == 1
    assert len(ami.sent("Originate")) == 1


async def test_an_originate_in_doubt_is_not_sent_again_after_the_reconnect(ami: FakeAmi) -> None:
    ami.answers["Originate"] = lambda _: None
    ups: asyncio.Queue[AmiSession] = asyncio.Queue()
    downs: list[float] = []

    async def on_up(session: AmiSession) -> None:
        ups.put_nowait(session)

    async def on_down() -> None:
        downs.append(time.monotonic())

    keeping = asyncio.create_task(keep_session(ami.port, "ivr", "right", on_event=None, on_up=on_up, on_down=on_down))
    first = await asyncio.wait_for(ups.get(), 5)
    doubtful = asyncio.create_task(first.action("Originate", Async="true", within_s=10))
    await ami.until("Originate")
    ami.cut()
    with pytest.raises(AmiUnconfirmed):
        await doubtful
    second = await asyncio.wait_for(ups.get(), 5)
    assert len(downs) == 1
    await second.action("Ping")
    await asyncio.sleep(0.5)
    assert len(ami.sent("Originate")) == 1
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_the_session_comes_back_within_seconds_when_the_peer_does(ami: FakeAmi) -> None:
    ups: asyncio.Queue[AmiSession] = asyncio.Queue()

    async def on_up(session: AmiSession) -> None:
        ups.put_nowait(session)

    async def on_down() -> None:
        pass

    keeping = asyncio.create_task(keep_session(ami.port, "ivr", "right", on_event=None, on_up=on_up, on_down=on_down))
    await asyncio.wait_for(ups.get(), 5)
    await ami.stop()
    await asyncio.sleep(1.5)
    await ami.listen()
    back = await asyncio.wait_for(ups.get(), 3)
    assert (await back.action("Ping"))["ping"] == "Pong"
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


async def test_an_asterisk_that_still_boots_is_not_asked_again_at_once(ami: FakeAmi) -> None:
    """It logs in before its queues are there; hammered, it would refuse further log-ins."""

    async def on_up(session: AmiSession) -> None:
        await session.listing("QueueStatus")

    async def on_down() -> None:
        pass

    ami.answers["QueueStatus"] = lambda a: error(a, "Invalid/unknown command: QueueStatus.")
    keeping = asyncio.create_task(keep_session(ami.port, "ivr", "right", on_event=None, on_up=on_up, on_down=on_down))
    await asyncio.sleep(1.5)
    assert 2 <= ami.logins <= 4
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


# ---- the two sessions of a node


class Node:
    """An AsteriskLink with what it handed on."""

    def __init__(self, port: int) -> None:
        self.items: list[Item] = []
        self.fail_on: str = ""
        self.ups, self.downs = 0, 0
        self.link = AsteriskLink(port, "right", "right", self._consume)
        self.link.on_up, self.link.on_down = self._up, self._down

    async def _consume(self, item: Item) -> None:
        self.items.append(item)
        if isinstance(item, AmiEvent) and item.name == self.fail_on:
            raise ZeroDivisionError

    async def _up(self) -> None:
        self.ups += 1

    async def _down(self) -> None:
        self.downs += 1

    @property
    def snapshots(self) -> list[Snapshot]:
        return [item for item in self.items if isinstance(item, Snapshot)]

    async def until_up(self) -> None:
        await until(lambda: self.link.is_up and self.snapshots)


@pytest.fixture
async def node(ami: FakeAmi) -> AsyncIterator[Node]:
    made = Node(ami.port)
    running = asyncio.create_task(made.link.run())
    await made.until_up()
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_after_a_cut_asterisks_own_state_is_read_again_and_what_it_says_later_comes_after(
    ami: FakeAmi, node: Node
) -> None:
    channel = {"Uniqueid": "01A", "Linkedid": "01A", "ChannelStateDesc": "Up"}
    ami.answers["CoreShowChannels"] = lambda a: listing(a, "CoreShowChannel", channel)
    before = len(node.snapshots)
    ami.cut()
    await until(lambda: len(node.snapshots) > before and node.link.is_up)
    assert node.snapshots[-1].channels["01A"].state == "Up"
    assert (node.ups, node.downs) == (2, 1)
    await ami.send(message(("Event", "Hangup"), ("Uniqueid", "01A")))
    await until(lambda: isinstance(node.items[-1], AmiEvent) and node.items[-1].name == "Hangup")


async def test_an_event_whose_handling_fails_stops_nothing(ami: FakeAmi, node: Node) -> None:
    node.fail_on = "Newstate"
    await ami.send(message(("Event", "Newstate")), message(("Event", "Hangup"), ("Uniqueid", "1.1")))
    await until(lambda: any(isinstance(i, AmiEvent) and i.name == "Hangup" for i in node.items))
    assert node.link.is_up


async def test_while_the_link_is_down_an_action_is_refused_at_once_and_never_sent_later(
    ami: FakeAmi, node: Node
) -> None:
    await ami.stop()
    await until(lambda: not node.link.is_up)
    with pytest.raises(AmiUnavailable):
        await node.link.act("Originate", Async="true")
    await ami.listen()
    await node.until_up()
    await node.link.act("Ping")
    assert ami.sent("Originate") == []
