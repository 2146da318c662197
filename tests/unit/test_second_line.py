"""The line to the second ear, and its queue: meanings come back, words do not, and nobody ever waits."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict

import pytest

from ivr.speech.second_ear import MOST_WAITING
from ivr.speech.second_line import MOST_UNSENT, SecondLine
from ivr.speech.waiting_room import WaitingRoom, Waits
from tests.doubles.patience import until
from tests.doubles.scripted_second_ear import Writes, connect, connected

PCM = bytes(16_000)


class Heard:
    def __init__(self, line: SecondLine, *streams: int) -> None:
        self.by: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
        for stream in streams:
            line.enter(stream, lambda *told, stream=stream: self.by[stream].append(told))


# ---- the queue


def test_first_come_first_heard() -> None:
    room = WaitingRoom[str](3)
    for number in range(3):
        assert room.put(Waits("a", number, PCM)) is None
    assert [room.take().number for _ in range(3)] == [0, 1, 2]  # type: ignore[union-attr]
    assert room.take() is None


def test_who_talks_on_and_on_loses_his_own_oldest_and_nobody_elses() -> None:
    room = WaitingRoom[str](4)
    room.put(Waits("elder", 1, PCM))
    lost = [room.put(Waits("television", number, PCM)) for number in range(1, 7)]
    assert [one and (one.speaker, one.number) for one in lost] == [
        None, None, None, ("television", 1), ("television", 2), ("television", 3),
    ]  # fmt: skip
    assert room.dropped == 3
    first = room.take()
    assert first is not None
    assert first.speaker == "elder"


def test_who_has_gone_is_not_waited_for_and_that_is_no_drop() -> None:
    room = WaitingRoom[str](4)
    room.put(Waits("a", 1, PCM))
    room.put(Waits("b", 1, PCM))
    room.forget(lambda speaker: speaker == "a")
    assert (len(room), room.dropped) == (1, 0)


# ---- the line


async def test_distress_in_a_long_sentence_comes_back_as_an_id() -> None:
    async with connected(Writes("我妈刚才从床上掉下来了现在说不出话")) as (line, desk):
        heard = Heard(line, 7)
        line.send(7, 1, PCM)
        await until(lambda: heard.by[7])
        ((number, meaning, score),) = heard.by[7]
        assert (number, meaning.partition(".")[0]) == (1, "distress")
        assert 50 <= score <= 100
        assert desk.says() == {"heard": 1, "dropped": 0, "failed": 0, "waiting": 0}
        assert line.counts.second_sent == 1


async def test_ordinary_talk_and_silence_mean_nothing_and_a_service_its_id() -> None:
    async with connected(Writes("今天天气真好啊", "", "我想找人来帮我打扫卫生")) as (line, desk):
        heard = Heard(line, 1)
        for number in (1, 2, 3):
            line.send(1, number, PCM)
        await until(lambda: desk.heard == 3 and heard.by[1])
        assert [told[:2] for told in heard.by[1]] == [(3, "service.cleaning")]


async def test_an_engine_that_fails_says_nothing_of_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    async with connected(Writes("!", "救命啊快来人")) as (line, desk):
        heard = Heard(line, 1)
        line.send(1, 1, PCM)
        line.send(1, 2, PCM)
        await until(lambda: heard.by[1])
        assert (heard.by[1][0][0], desk.failed) == (2, 1)
    assert "RuntimeError" in caplog.text
    assert not any(word in caplog.text for word in ("摔", "救命"))


async def test_what_is_too_much_is_dropped_and_counted_and_nobody_waits() -> None:
    writes = Writes("救命啊快来人")
    writes.go.clear()
    async with connected(writes) as (line, desk):
        line.send(1, 0, PCM)
        await until(lambda: writes.lengths)  # it is at work
        for stream in range(1, MOST_WAITING + 4):
            line.send(stream, 1, PCM)
        await until(lambda: desk.says()["dropped"] == 3)
        assert desk.says()["waiting"] == MOST_WAITING
        writes.go.set()
        await until(lambda: desk.heard == MOST_WAITING + 1)


async def test_a_stream_that_is_over_hears_nothing_more_and_is_not_listened_to() -> None:
    writes = Writes("救命啊快来人")
    writes.go.clear()
    async with connected(writes) as (line, desk):
        heard = Heard(line, 1, 2)
        line.send(1, 1, PCM)
        await until(lambda: writes.lengths)
        line.send(1, 2, PCM)
        line.send(2, 1, PCM)
        line.leave(1)
        await until(lambda: desk.says()["waiting"] == 1)
        writes.go.set()
        await until(lambda: heard.by[2])
        assert (heard.by[1], desk.heard, desk.says()["dropped"]) == ([], 2, 0)


async def test_without_a_second_ear_everything_is_lost_and_counted() -> None:
    line = SecondLine()
    line.enter(1, lambda *_: None)
    line.send(1, 1, PCM)
    line.leave(1)
    assert (line.counts.second_sent, line.counts.second_lost) == (0, 1)


async def test_a_second_ear_that_does_not_read_fills_no_memory() -> None:
    line = SecondLine()
    one, other = socket.socketpair()
    with other:
        await line.attach(one)
        began = asyncio.get_running_loop().time()
        for number in range(200):
            line.send(1, number, PCM)
        assert asyncio.get_running_loop().time() - began < 0.5
        sent = line.counts.second_sent * len(PCM)
        assert MOST_UNSENT <= sent < MOST_UNSENT + 1_000_000
        assert line.counts.second_lost == 200 - line.counts.second_sent
    await until(lambda: line.counts.second_lost == 200)  # it is gone: what it had taken is lost too
    await line.close()


async def test_a_new_second_ear_takes_the_old_ones_place() -> None:
    async with connected(Writes("救命啊快来人")) as (line, desk):
        heard = Heard(line, 1)
        await connect(line, desk)
        line.send(1, 1, PCM)
        await until(lambda: heard.by[1])


@pytest.mark.parametrize("nonsense", [b"{\n", b"[1]\n", b"x" * 5000, b"[[],1,2,3]\n", b'[1,1,"a",null]\n'])
async def test_a_line_that_talks_nonsense_is_closed_and_the_worker_lives(nonsense: bytes) -> None:
    line = SecondLine()
    one, other = socket.socketpair()
    with other:
        await line.attach(one)
        line.enter(1, lambda *_: None)
        line.send(1, 1, PCM)
        other.send(nonsense)
        await until(lambda: line.counts.second_lost >= 1 or line._writer is None)
        line.send(1, 2, PCM)
        await until(lambda: line._writer is None)
    await line.close()
