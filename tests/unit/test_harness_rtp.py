"""话机的耳与口，和录音的时间线。The telephone's ear and mouth, and the time line of what it heard."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from tests.calls.harness.g711 import RATE, decode_alaw, encode_alaw
from tests.calls.harness.listen import find_prompt
from tests.calls.harness.pretend_speech import speech
from tests.calls.harness.recording import Packet, Recording
from tests.calls.harness.rtp import RtpPeer

SPEECH = speech(5, 3.0)


def recorded(audio: bytes, *, lose: set[int] = frozenset(), jitter: float = 0.0, ssrc: int = 1) -> list[Packet]:  # type: ignore[assignment]
    chance = np.random.default_rng(0)
    return [
        Packet(100 + n * 0.02 + chance.uniform(0, jitter), n, 7000 + n * 160, 8, ssrc, audio[n * 160 : (n + 1) * 160])
        for n in range(len(audio) // 160)
        if n not in lose
    ]


def recording(packets: list[Packet]) -> Recording:
    heard = Recording()
    for packet in packets:
        heard.add(packet)
    return heard


def test_lost_packets_are_silence_of_the_same_length() -> None:
    heard = recording(recorded(SPEECH, lose={10, 11, 50}, jitter=0.03))
    expected = decode_alaw(SPEECH).copy()
    for n in (10, 11, 50):
        expected[n * 160 : (n + 1) * 160] = 0
    assert np.array_equal(heard.pcm(), expected)
    assert heard.lost == 3


def test_packets_out_of_order_are_put_back() -> None:
    packets = recorded(SPEECH)
    packets[20], packets[21] = packets[21], packets[20]
    assert recording(packets).alaw() == SPEECH


def test_a_new_stream_lies_where_it_arrived() -> None:
    first = recorded(SPEECH[:8000])
    second = [Packet(p.at + 3.0, p.seq + 900, p.timestamp + 5_000_000, 8, 2, p.payload) for p in first]
    heard = recording([*first, *second])
    assert abs(len(heard.pcm()) - 4 * RATE) < 10
    (gap,) = heard.silence_gaps(longer_than=1.0)
    assert abs(gap.start - 101.0) < 0.15
    assert abs(gap.end - 103.0) < 0.15
    assert heard.level_dbfs(since=101.2, until=102.8) == -96.0
    assert heard.level_dbfs(until=100.9) > -30


def test_time_stamps_may_wrap_and_seq_numbers_too() -> None:
    packets = recorded(SPEECH)
    wrapped = [
        Packet(p.at, (p.seq + 65500) % 65536, (p.timestamp + 2**32 - 9000) % 2**32, 8, 1, p.payload) for p in packets
    ]
    assert recording(wrapped).alaw() == SPEECH
    assert recording(wrapped).lost == 0


def test_an_empty_recording_answers_every_question(tmp_path: Path) -> None:
    heard = Recording()
    heard.save_wav(tmp_path / "nothing.wav")
    assert (len(heard.pcm()), heard.lost, heard.silence_gaps(0.1), heard.level_dbfs()) == (0, 0, [], -96.0)


def test_wav(tmp_path: Path) -> None:
    recording(recorded(SPEECH)).save_wav(tmp_path / "heard.wav")
    with wave.open(str(tmp_path / "heard.wav")) as saved:
        assert (saved.getframerate(), saved.getnframes()) == (RATE, len(SPEECH))
        assert encode_alaw(np.frombuffer(saved.readframes(-1), np.int16)) == SPEECH


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[tuple[RtpPeer, RtpPeer]]:
    one, other = await RtpPeer.open(), await RtpPeer.open()
    one.start(("127.0.0.1", other.port))
    yield one, other
    one.close()
    other.close()


async def test_speech_arrives_in_time_and_whole(pair: tuple[RtpPeer, RtpPeer]) -> None:
    one, other = pair
    seconds = one.say(SPEECH)
    await one.quiet()
    await asyncio.sleep(0.1)
    match = find_prompt(other.heard.pcm(), SPEECH)
    assert match.score > 0.999
    assert match.whole
    assert abs(other.heard.last_at - other.heard.began_at - seconds) < 0.4
    assert {packet.payload_type for packet in other.heard.packets} == {8}


async def test_between_words_the_line_sounds_as_it_was_told_or_is_dead(pair: tuple[RtpPeer, RtpPeer]) -> None:
    one, other = pair
    one.idle(SPEECH[:320])
    await asyncio.sleep(0.3)
    assert other.heard.alaw()[-640:] in (SPEECH[:320] * 2, (SPEECH[160:320] + SPEECH[:160]) * 2)
    one.idle(None)
    await asyncio.sleep(0.1)
    before = len(other.heard.packets)
    await asyncio.sleep(0.5)
    assert len(other.heard.packets) == before
    one.say(SPEECH[:8000])
    await asyncio.sleep(1.3)
    assert len(other.heard.packets) == before + 50
    gap = other.heard.packets[before].timestamp - other.heard.packets[before - 1].timestamp
    assert gap > 0.5 * RATE, "its clock went on"


async def test_who_is_told_no_address_answers_whoever_sends_first(pair: tuple[RtpPeer, RtpPeer]) -> None:
    one, other = pair
    other.start()
    other.say(SPEECH[:8000])
    await asyncio.sleep(1.3)
    assert other.far == ("127.0.0.1", one.port)
    assert find_prompt(one.heard.pcm(), SPEECH[:8000]).score > 0.999


async def test_keys_are_heard_once_each(pair: tuple[RtpPeer, RtpPeer]) -> None:
    one, other = pair
    one.press("12#1")
    await one.quiet()
    await asyncio.sleep(0.1)
    assert [press.key for press in other.keys_heard] == ["1", "2", "#", "1"]
    assert [press.key for press in one.pressed] == ["1", "2", "#", "1"]
    assert 0.18 < other.keys_heard[1].at - other.keys_heard[0].at < 0.3
    assert not other.heard.lost or other.heard.lost == 4 * 8  # key packets count in the sequence
    with pytest.raises(ValueError, match="no such keys"):
        one.press("x")


async def test_strangers_and_garbage_are_not_heard(pair: tuple[RtpPeer, RtpPeer]) -> None:
    one, other = pair
    await asyncio.sleep(0.1)
    stranger = await RtpPeer.open()
    stranger.start(("127.0.0.1", other.port))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=("127.0.0.1", other.port)
    )
    for junk in (b"", b"\x80", b"\xff" * 1400, b"\x80\xc8" + b"\0" * 30):
        transport.sendto(junk)
    await asyncio.sleep(0.1)
    assert other.strangers >= 5
    assert {packet.ssrc for packet in other.heard.packets} == {
        one.heard.packets[0].ssrc if one.heard.packets else one._ssrc
    }
    transport.close()
    stranger.close()


async def test_who_has_hung_up_says_nothing_and_nobody_waits_for_it() -> None:
    peer = await RtpPeer.open()
    peer.start(("127.0.0.1", 9))
    peer.close()
    assert peer.say(SPEECH) == len(SPEECH) / RATE
    async with asyncio.timeout(1):
        await peer.quiet()
