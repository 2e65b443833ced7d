"""Every way into POST /api/v1/events, behind one function: what it answers must not depend on the way."""

import asyncio
import contextlib
import http.client
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec
from django.test import Client

from events.gateway import Gateway

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
    """`send` posts `body` as it is, with `headers` added or (None) left out."""

    name: str

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
