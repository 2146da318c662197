"""一部话机听到了什么。What one telephone heard: RTP packets put back on a time line.

All times are `time.monotonic()` seconds, the clock of the whole harness (and of the asyncio loop).
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.calls.harness.g711 import RATE, Pcm, decode_alaw, decode_ulaw, encode_alaw

PCMU, PCMA = 0, 8
_JUMP = RATE // 2  # a stream whose time stamps stray this far from the clock has started anew
_FRAME = RATE // 50


@dataclass(frozen=True, slots=True)
class Packet:
    at: float
    seq: int
    timestamp: int
    payload_type: int
    ssrc: int
    payload: bytes


@dataclass(frozen=True)
class Gap:
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def dbfs(pcm: Pcm) -> float:
    """RMS level; full scale is 0, digital silence -96."""
    if not len(pcm):
        return -96.0
    rms = float(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))
    return max(-96.0, 20 * float(np.log10(max(rms, 1e-3) / 32768)))


class Recording:
    """Everything one telephone received, lost packets and pauses filled with silence."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []
        self._cached: tuple[int, Pcm] = (0, np.zeros(0, np.int16))

    def add(self, packet: Packet) -> None:
        self.packets.append(packet)

    @property
    def began_at(self) -> float:
        """When sample 0 of `pcm()` arrived; 0.0 if nothing was heard."""
        return self.packets[0].at if self.packets else 0.0

    @property
    def last_at(self) -> float:
        return self.packets[-1].at if self.packets else 0.0

    @property
    def lost(self) -> int:
        """Packets missing by sequence number, over all streams of the call."""
        missing = 0
        for ssrc in {packet.ssrc for packet in self.packets}:
            numbers = np.unwrap([p.seq for p in self.packets if p.ssrc == ssrc], period=65536)
            missing += round(float(numbers.max() - numbers.min())) + 1 - len(set(numbers.tolist()))
        return missing

    def pcm(self) -> Pcm:
        """int16 at 8 kHz from the first packet on."""
        if self._cached[0] != len(self.packets):
            self._cached = (len(self.packets), _lay_out(self.packets))
        return self._cached[1]

    def alaw(self) -> bytes:
        return encode_alaw(self.pcm())

    def between(self, since: float | None = None, until: float | None = None) -> Pcm:
        pcm = self.pcm()
        start = 0 if since is None else max(0, round((since - self.began_at) * RATE))
        end = len(pcm) if until is None else max(0, round((until - self.began_at) * RATE))
        return pcm[start:end]

    def level_dbfs(self, since: float | None = None, until: float | None = None) -> float:
        return dbfs(self.between(since, until))

    def silence_gaps(self, longer_than: float, below_dbfs: float = -50.0) -> list[Gap]:
        """Stretches between the first and the last packet in which nothing was to be heard."""
        pcm = self.pcm()
        frames = pcm[: len(pcm) // _FRAME * _FRAME].reshape(-1, _FRAME)
        loud = np.array([dbfs(frame) >= below_dbfs for frame in frames], bool)
        edges = np.flatnonzero(np.diff(np.concatenate(([True], loud, [True])).astype(np.int8)))
        gaps = [
            Gap(self.began_at + start * 0.02, self.began_at + end * 0.02)
            for start, end in zip(edges[::2], edges[1::2], strict=True)
        ]
        return [gap for gap in gaps if gap.seconds > longer_than]

    def save_wav(self, path: Path) -> None:
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE)
            out.writeframes(self.pcm().tobytes())


def _lay_out(packets: Sequence[Packet]) -> Pcm:
    """Place each payload by its RTP time stamp; a new stream is anchored where its first packet arrived."""
    if not packets:
        return np.zeros(0, np.int16)
    origin = packets[0].at
    placed: list[tuple[int, Pcm]] = []
    ssrc = base_stamp = base_place = -1
    for packet in packets:
        arrived = round((packet.at - origin) * RATE)
        stride = (packet.timestamp - base_stamp + 2**31) % 2**32 - 2**31
        if packet.ssrc != ssrc or abs(base_place + stride - arrived) > _JUMP:
            ssrc, base_stamp, base_place, stride = packet.ssrc, packet.timestamp, arrived, 0
        decode = decode_ulaw if packet.payload_type == PCMU else decode_alaw
        placed.append((base_place + stride, decode(packet.payload)))
    line = np.zeros(max(place + len(audio) for place, audio in placed), np.int16)
    for place, audio in placed:
        start = max(place, 0)
        line[start : place + len(audio)] = audio[start - place :]
    return line
