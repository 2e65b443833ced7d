"""A light client of the ingest socket on asyncio.Protocol: the load generator must not be what is measured."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, cast

import msgspec

from events.websocket.limits import FRAME_COST
from tests.support.frames import BINARY, PING, PONG, TEXT, masked, upgrade


class Message(NamedTuple):
    """A frame as it goes over the wire, and what it costs of the credit."""

    seq: int
    wire: bytes
    size: int


class Credit(msgspec.Struct):
    events: int
    bytes: int


class Said(msgspec.Struct):
    """What the server says: `ready` once, then acknowledgements."""

    credit: Credit | None = None
    ack: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    nack: int = 0
    closing: int = 0


_decode = msgspec.json.Decoder(Said).decode


def frames(bodies: list[bytes]) -> list[Message]:
    payloads = (b"%d\n%s" % (seq, body) for seq, body in enumerate(bodies, 1))
    return [
        Message(seq, masked(BINARY, payload), len(payload) + FRAME_COST)
        for seq, payload in enumerate(payloads, 1)
    ]


class SocketClient(asyncio.Protocol):
    """Sends of an iterator's frames what its credit allows, until all are answered."""

    def __init__(self, key: str, messages: Iterator[Message], events_each: int) -> None:
        self.heard = Said()
        self.latencies: list[float] = []
        self.answers = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._key = key
        self._messages = messages
        self._events_each = events_each
        self._next: Message | None = None
        self._events = self._bytes = 0
        self._sent: deque[tuple[int, float]] = deque()
        self._buffer = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(upgrade(self._key))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._upgraded, self._buffer = True, bytearray(rest)
        while (payload := self._take()) is not None:
            opcode, text = payload
            if opcode == TEXT:
                self._hear(_decode(text))
            elif opcode == PING:
                self._transport.write(masked(PONG, text))

    def connection_lost(self, exc: Exception | None) -> None:
        for future in (self.open, self.done):
            if not future.done():
                future.set_exception(
                    ConnectionResetError(f"closed after {self.answers} answers: {self.heard}")
                )

    def start(self) -> None:
        self._next = next(self._messages, None)
        self._send()

    def close(self) -> None:
        self._transport.abort()

    def _take(self) -> tuple[int, bytes] | None:
        """(opcode, payload) of the next whole frame."""
        if len(self._buffer) < 2:
            return None
        start, size = 2, self._buffer[1]
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(self._buffer[2:start], "big")
        if len(self._buffer) < start + size:
            return None
        opcode, payload = self._buffer[0] & 0x0F, bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return opcode, payload

    def _hear(self, said: Said) -> None:
        assert not said.nack, "a client within its credit was refused"
        assert not said.closing, said
        if said.credit is not None:
            self._events += said.credit.events
            self._bytes += said.credit.bytes
        now = time.monotonic()
        while self._sent and self._sent[0][0] <= said.ack:
            self.latencies.append((now - self._sent.popleft()[1]) * 1000)
        if said.ack:
            self.answers += 1
            self.heard.accepted += said.accepted
            self.heard.duplicates += said.duplicates
            self.heard.rejected += said.rejected
            self._send()
        elif not self.open.done():
            self.open.set_result(None)

    def _send(self) -> None:
        while self._next and self._next.size <= self._bytes and self._events_each <= self._events:
            self._bytes -= self._next.size
            self._events -= self._events_each
            self._sent.append((self._next.seq, time.monotonic()))
            self._transport.write(self._next.wire)
            self._next = next(self._messages, None)
        if not self._next and not self._sent and not self.done.done():
            self.done.set_result(None)
