"""Clients of the ingest socket: one inside the test's process, with limits of its own, and one of real processes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from channels.testing import WebsocketCommunicator
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from accounts.keys import KeyCache
from events.connections import conninfo
from events.consumers import IngestConsumer
from events.websocket.limits import SOCKET_PATH, SocketLimits
from events.writer import LoopDelivery

Said = dict[str, Any]
SECONDS = 30.0
ABNORMAL = 1006  # as RFC 6455 calls a connection that broke off


class InnerSocket:
    """The consumer in this process, as a server would drive it."""

    def __init__(self, communicator: WebsocketCommunicator, subprotocol: str | None) -> None:
        self.communicator = communicator
        self.subprotocol = subprotocol

    async def send(self, frame: bytes | str) -> None:
        kind = "bytes" if isinstance(frame, bytes) else "text"
        await self.communicator.send_input({"type": "websocket.receive", kind: frame})

    async def hear(self) -> Said:
        said: Said = json.loads(await self.communicator.receive_from(timeout=SECONDS))
        return said

    async def ready(self, key: str) -> Said:
        await self.send(json.dumps({"auth": key}))
        said = await self.hear()
        assert "ready" in said, said
        return said

    async def closed(self) -> tuple[int, Said]:
        """(close code, the frame before it); what comes before is read past."""
        last: Said = {}
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self.communicator.receive_output(timeout=SECONDS)
                if message["type"] == "websocket.close":
                    return int(message["code"]), last
                last = json.loads(message["text"])


@asynccontextmanager
async def inner_socket(
    *headers: tuple[bytes, bytes], limits: SocketLimits | None = None, subprotocols: list[str] | None = None
) -> AsyncIterator[InnerSocket]:
    keys = KeyCache(conninfo=conninfo)
    delivery = LoopDelivery(asyncio.get_running_loop())
    application = IngestConsumer.as_asgi(keys=keys, delivery=delivery, limits=limits)
    sent = [(b"host", b"testserver"), *headers]
    communicator = WebsocketCommunicator(application, SOCKET_PATH, headers=sent, subprotocols=subprotocols)
    connected, detail = await communicator.connect(timeout=SECONDS)
    if not connected:
        raise ConnectionRefusedError(detail)
    try:
        yield InnerSocket(communicator, detail)
    finally:
        await communicator.disconnect(timeout=SECONDS)
        await keys.close()


class OuterSocket:
    """A socket of a real process, opened with the key in its header."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.ready = self.hear()
        self.seq = 0

    def send(self, *events: object, words: str = "") -> int:
        """One frame with these events; its seq."""
        self.seq += 1
        self.connection.send(f"{self.seq} {words}\n{json.dumps(events)}")
        return self.seq

    def hear(self, seconds: float = SECONDS) -> Said:
        said: Said = json.loads(self.connection.recv(timeout=seconds))
        return said

    def acknowledged(self, seq: int) -> list[Said]:
        """All that is said until frame `seq` is answered."""
        heard = [self.hear()]
        while int(heard[-1].get("ack") or heard[-1].get("nack") or 0) < seq:
            heard.append(self.hear())
        return heard

    def close_code(self) -> int:
        """What the server closes with; frames before it are read past."""
        while True:
            try:
                self.hear()
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else ABNORMAL


@contextmanager
def outer_socket(port: int, key: str, **options: Any) -> Iterator[OuterSocket]:
    address = f"ws://127.0.0.1:{port}{SOCKET_PATH}"
    headers = {"Authorization": f"Bearer {key}"}
    with connect(address, additional_headers=headers, proxy=None, max_size=None, **options) as connection:
        yield OuterSocket(connection)
