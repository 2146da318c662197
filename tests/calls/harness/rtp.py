"""一部话机的耳与口。One telephone's ear and mouth: G.711 A-law over RTP, keys by RFC 4733.

Sends a packet each 20 ms against a fixed origin (when there is nothing to say, silence, or what `idle` was given), so
that a busy machine delays packets but never slows the stream down.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.calls.harness.g711 import ALAW_SILENCE
from tests.calls.harness.recording import PCMA, PCMU, Packet, Recording
from tests.calls.harness.sip import Address

FRAME_S, FRAME = 0.02, 160
KEYS = "0123456789*#ABCD"
KEY_FRAMES = 6  # 120 ms
_PAUSE_FRAMES = 5  # between two keys
_LATE_FRAMES = 50  # later than this and the stream skips ahead, as a telephone that slept would
_SILENT_FRAME = ALAW_SILENCE * FRAME
_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True)
class Press:
    at: float
    key: str


class RtpPeer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard = Recording()
        self.keys_heard: list[Press] = []
        self.pressed: list[Press] = []
        self.strangers = 0  # datagrams that were no RTP, or not from the far end
        self.sent = 0
        self.far: Address | None = None
        self.key_payload_type = 101
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._ticking: asyncio.Handle | None = None
        self._origin = 0.0
        self._tick_no = 0
        self._seq = random.getrandbits(15)
        self._stamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self._speech: deque[bytes] = deque()
        self._idle: list[bytes] = [_SILENT_FRAME]
        self._pausing = False  # nothing was sent in the last frame: the next packet begins a talk spurt
        self._keys: deque[str] = deque()
        self._key_frame = 0  # frames of the present key already sent; negative: pause after a key
        self._key_stamp = 0
        self._last_key_stamp: int | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()

    @classmethod
    async def open(cls, host: str = "127.0.0.1", port: int = 0) -> Self:
        loop = asyncio.get_running_loop()
        transport, peer = await loop.create_datagram_endpoint(cls, local_addr=(host, port))
        peer._transport = transport
        peer.port = transport.get_extra_info("sockname")[1]
        return peer

    def start(self, far: Address | None = None) -> None:
        """Begin to send; to `far`, or to whoever sends first."""
        self.far = far or self.far
        if self._ticking is None and self._transport is not None:
            loop = asyncio.get_running_loop()
            self._origin, self._tick_no = loop.time(), 0
            self._ticking = loop.call_soon(self._tick)

    def stop(self) -> None:
        """Stop sending; goes on listening until `close`."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self.hush()

    def close(self) -> None:
        self.stop()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def say(self, audio: Path | bytes) -> float:
        """Queue raw A-law; returns its length in seconds. Who has hung up says nothing."""
        raw = audio if isinstance(audio, bytes) else audio.read_bytes()
        if self._transport is None:  # nothing would ever send it, and `quiet` would wait for ever
            return len(raw) / 8000
        self._speech.extend(raw[at : at + FRAME].ljust(FRAME, ALAW_SILENCE) for at in range(0, len(raw), FRAME))
        self._quiet.clear()
        return len(raw) / 8000

    def idle(self, audio: bytes | None) -> None:
        """What the line sounds like while nothing is said (raw A-law, over and over), instead of silence. None: not a
        packet is sent then, as by a telephone with voice detection."""
        raw = audio or b""
        self._idle = [raw[at : at + FRAME] for at in range(0, len(raw) - FRAME + 1, FRAME)]

    def press(self, keys: str) -> None:
        """Queue keys: 120 ms each, 100 ms apart."""
        if unknown := set(keys) - set(KEYS):
            raise ValueError(f"no such keys on a telephone: {unknown}")
        self._keys.extend(keys)
        self._quiet.clear()

    def hush(self) -> None:
        """Forget what has not been said or pressed yet."""
        self._speech.clear()
        self._keys.clear()
        self._key_frame = 0
        self._quiet.set()

    async def quiet(self) -> None:
        """Until everything queued has been sent."""
        await self._quiet.wait()

    # -- sending

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due = int((loop.time() - self._origin) / FRAME_S) + 1
        if due - self._tick_no > _LATE_FRAMES:
            self._stamp += (due - self._tick_no - 1) * FRAME
            self._tick_no = due - 1
        while self._tick_no < due:
            self._send_frame()
            self._tick_no += 1
        self._ticking = loop.call_at(self._origin + self._tick_no * FRAME_S, self._tick)

    def _send_frame(self) -> None:
        if self._keys and self._key_frame >= 0:
            self._send_key_frame(self._keys[0])
        else:
            self._key_frame = min(0, self._key_frame + 1)
            if self._speech:
                frame = self._speech.popleft()
            else:
                frame = self._idle[self._tick_no % len(self._idle)] if self._idle else b""
            if frame:
                self._send(PCMA, self._stamp, frame, marker=self._pausing)
            self._pausing = not frame
        self._stamp += FRAME
        if not self._speech and not self._keys:
            self._quiet.set()

    def _send_key_frame(self, key: str) -> None:
        first = self._key_frame == 0
        if first:
            self._key_stamp = self._stamp
            self.pressed.append(Press(time.monotonic(), key))
        self._key_frame += 1
        over = self._key_frame == KEY_FRAMES
        event = struct.pack("!BBH", KEYS.index(key), (0x80 if over else 0) | 10, self._key_frame * FRAME)
        for _ in range(3 if over else 1):
            self._send(self.key_payload_type, self._key_stamp, event, marker=first)
        if over:
            self._keys.popleft()
            self._key_frame = -_PAUSE_FRAMES

    def _send(self, payload_type: int, stamp: int, payload: bytes, marker: bool = False) -> None:
        if self._transport is None or self.far is None:
            return
        first = self.sent == 0
        header = _HEADER.pack(
            0x80,
            payload_type | (0x80 if marker or first else 0),
            self._seq & 0xFFFF,
            stamp & 0xFFFFFFFF,
            self._ssrc,
        )
        self._transport.sendto(header + payload, self.far)
        self._seq += 1
        self.sent += 1

    # -- receiving

    def datagram_received(self, data: bytes, addr: Address) -> None:
        at = time.monotonic()
        is_rtp = len(data) > 12 and data[0] >> 6 == 2 and not 192 <= data[1] <= 223  # 192…: RTCP
        if is_rtp and self.far is None:
            self.far = addr
        if not is_rtp or addr != self.far:
            self.strangers += 1
            return
        flags, kind, seq, stamp, ssrc = _HEADER.unpack_from(data)
        payload_type = kind & 0x7F
        payload = data[12 + 4 * (flags & 0x0F) :]
        if payload_type in (PCMU, PCMA):
            self.heard.add(Packet(at, seq, stamp, payload_type, ssrc, payload))
        elif payload_type == self.key_payload_type and len(payload) >= 4 and stamp != self._last_key_stamp:
            self._last_key_stamp = stamp
            if payload[0] < len(KEYS):
                self.keys_heard.append(Press(at, KEYS[payload[0]]))

    def error_received(self, exc: Exception) -> None:
        """Nobody at the far port (yet, or any more): the call's signalling says what that means."""
