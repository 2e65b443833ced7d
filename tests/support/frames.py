"""WebSocket frames written by hand, for clients that a library would not let misbehave, or that must cost nothing."""

import base64
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from events.websocket.limits import SOCKET_PATH

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def masked(opcode: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros, which costs the server what any mask does."""
    size = len(payload)
    if size < 126:
        length = bytes((0x80 | size,))
    elif size < 65_536:
        length = b"\xfe" + size.to_bytes(2, "big")
    else:
        length = b"\xff" + size.to_bytes(8, "big")
    return bytes((0x80 | opcode,)) + length + bytes(4) + payload


def upgrade(key: str) -> bytes:
    """The request that opens an ingest socket."""
    lines = (
        f"GET {SOCKET_PATH} HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        f"Authorization: Bearer {key}",
    )  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


@contextmanager
def rude_socket(port: int, key: str, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """An upgraded connection that knows nothing of credit, nor reads unless told to."""
    with socket.socket() as connection:
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", port))
        connection.sendall(upgrade(key))
        assert connection.recv(12) == b"HTTP/1.1 101"
        yield connection
