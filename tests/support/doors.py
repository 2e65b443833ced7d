"""Every way into POST /api/v1/events, behind one function: what it answers must not depend on the way."""

import asyncio
import contextlib
import http.client
import itertools
import threading
from collections.abc import Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec
from django.test import Client
from websockets.sync.client import ClientConnection, connect

from events.gateway import Gateway
from events.limits import MAX_BODY_BYTES
from events.websocket.limits import MAX_FRAME_BYTES, SOCKET_PATH

PATH = "/api/v1/events"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body, type=dict[str, Any])


class Door(Protocol):
    """`send` posts `body` as it is, with `headers` added or (None) left out; one may have `most_bytes`."""

    name: str
    most_bytes: int

    def send(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer: ...

    def close(self) -> None: ...


class LoopThread:
    """An event loop of its own, driven from tests that wait."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Value]) -> Value:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


@dataclass
class GatewayDoor:
    """The ASGI gateway, in this process, as a server would call it. `pieces` is how a body arrives."""

    name: str = "gateway"
    most_bytes: int = MAX_BODY_BYTES
    pieces: int = 1
    thread: LoopThread = field(default_factory=LoopThread)
    app: Gateway = field(default_factory=Gateway)

    def send(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": query.encode(),
            "client": ("127.0.0.1", 50_000),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        return self.thread.run(self._call(scope, self._messages(body)))

    def _messages(self, body: bytes) -> list[dict[str, Any]]:
        size = max(1, -(-len(body) // self.pieces))
        parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
        last = len(parts) - 1
        return [
            {"type": "http.request", "body": part, "more_body": place < last}
            for place, part in enumerate(parts)
        ]

    async def _call(self, scope: dict[str, Any], messages: list[dict[str, Any]]) -> Answer:
        waiting = iter(messages)
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return next(waiting, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        start, *rest = sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(part["body"] for part in rest))

    def close(self) -> None:
        """As a server does: the lifespan ends, which commits what waits and closes the writer."""
        self.thread.run(self._shut_down())
        self.thread.close()

    async def _shut_down(self) -> None:
        async def receive() -> dict[str, Any]:
            return {"type": "lifespan.shutdown"}

        async def send(message: Any) -> None:
            assert message == {"type": "lifespan.shutdown.complete"}

        await self.app({"type": "lifespan"}, receive, send)


@dataclass
class DjangoDoor:
    """The DRF view through Django's middleware, without the gateway."""

    name: str = "drf"
    most_bytes: int = MAX_BODY_BYTES
    client: Client = field(default_factory=Client)

    def send(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        sent = {name.lower(): value for name, value in headers.items()}
        content_type = sent.get("content-type", "")  # the client forgets it when the body is empty
        extra = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()}
        for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            if f"HTTP_{name}" in extra:
                extra[name] = extra.pop(f"HTTP_{name}")
        address = f"{PATH}?{query}" if query else PATH
        response = self.client.generic("POST", address, body, content_type, **extra)  # type: ignore[arg-type]
        found = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, found, response.content)

    def close(self) -> None:
        """The client holds nothing."""


@dataclass
class ServerDoor:
    """A server listening on `port`, over one keep-alive connection as long as it lasts."""

    port: int
    name: str = "uvicorn"
    most_bytes: int = MAX_BODY_BYTES
    connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        reused = self.connection is not None
        try:
            return self._send(body, headers, query)
        except http.client.RemoteDisconnected:
            self.close()
            if not reused:  # otherwise it had been idle for too long
                raise
            return self._send(body, headers, query)

    def _send(self, body: bytes, headers: Mapping[str, str], query: str) -> Answer:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        address = f"{PATH}?{query}" if query else PATH
        # A server that has heard enough answers, and closes while the rest of the body is still being sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.request("POST", address, body, dict(headers))
        response = self.connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, found, response.read())
        if response.will_close:
            self.close()
        return answer

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


FORMATS = {"application/json": "json", "application/x-ndjson": "ndjson"}


@dataclass
class WebSocketDoor:
    """The ingest socket of a server listening on `port`; what it says is told as the HTTP doors would tell it."""

    port: int
    name: str = "websocket"
    most_bytes: int = MAX_FRAME_BYTES
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    connection: ClientConnection | None = None
    seqs: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    key: str | None = None

    def send(self, body: bytes, headers: Mapping[str, str], query: str = "") -> Answer:
        """One frame of a kept socket; a bad frame or another key opens a new one."""
        assert not headers.keys() - {"Authorization", "Content-Type"}, "a frame has no other headers"
        connection = self._connected(headers.get("Authorization"))
        parameters = query.replace("&", " ")
        head = f"{next(self.seqs)} {FORMATS[headers['Content-Type']]} ids {parameters}"
        connection.send(head.encode() + b"\n" + body)
        return self._answer(connection)

    def _connected(self, key: str | None) -> ClientConnection:
        if self.connection is None or self.key != key:
            self.close()
            headers = {} if key is None else {"Authorization": key}
            address = f"ws://127.0.0.1:{self.port}{SOCKET_PATH}"
            client = connect(address, additional_headers=headers, proxy=None, max_size=None)
            self.connection = self.opened.enter_context(client)
            self.key = key
            self.connection.recv(timeout=30)  # credit, without which nothing may be sent
        return self.connection

    def _answer(self, connection: ClientConnection) -> Answer:
        while True:
            said: dict[str, Any] = msgspec.json.decode(connection.recv(timeout=30))
            if "ack" in said:
                return _told(said, _status(said))
            if "nack" in said or "closing" in said:
                return _told(said, said["status"])

    def close(self) -> None:
        self.opened.close()
        self.connection = None


def _status(ack: Mapping[str, Any]) -> int:
    if not ack["rejected"]:
        return 200
    return 207 if ack["accepted"] or ack["duplicates"] else 422


def _told(said: dict[str, Any], status: int) -> Answer:
    code = {"code": "events_rejected"} if status == 422 else {}
    media_type = "application/json" if status < 400 else "application/problem+json"
    return Answer(status, {"content-type": media_type}, msgspec.json.encode({**code, **said}))
