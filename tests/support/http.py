"""A light HTTP/1.1 client on asyncio.Protocol: the load generator must not be what is measured."""

import asyncio
from typing import NamedTuple, cast


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def post_message(
    body: bytes,
    *,
    key: str,
    path: str = "/api/v1/events",
    content_type: str = "application/json",
    **headers: str,
) -> bytes:
    """The bytes of a whole POST request; headers as `retry_after="1"`."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {key}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name.replace('_', '-').title()}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request at a time. Answers must have a Content-Length."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one only by behaviour

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0 or self._waiting is None:
            return
        status, headers = _parse_head(bytes(self._buffer[:end]))
        length = int(headers.get("content-length", "0"))
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        waiting, self._waiting = self._waiting, None
        if not waiting.done():
            waiting.set_result(Answer(status, headers, body))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("connection lost before the answer"))

    @property
    def usable(self) -> bool:
        return not self._lost and self._waiting is None

    async def request(self, message: bytes) -> Answer:
        """Raises ConnectionError when the connection goes before the answer comes."""
        if self._lost or self._transport is None or self._waiting is not None:
            raise ConnectionResetError("the connection is closed or in use")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect(port: int, *, host: str = "127.0.0.1") -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
    return connection


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}
