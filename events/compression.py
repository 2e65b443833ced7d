"""Content-Encoding: gzip and zstd, with output that cannot outgrow its cap. Pure."""

import zlib
from collections.abc import Callable
from typing import Final, Protocol

from backports import zstd

from events.errors import RequestRefused
from events.limits import MAX_BODY_BYTES, MAX_EVENTS

ENCODINGS: Final = ("identity", "gzip", "zstd")
_PIECE: Final = 4096


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: memoryview, max_length: int, /) -> bytes: ...


def decompress(body: bytes, encoding: str) -> bytes:
    """The body without its encoding. Raises RequestRefused: 400 broken, 413 too big, 415 another encoding."""
    if encoding in {"", "identity"}:
        return body
    if encoding == "gzip":
        return _gunzip(body)
    if encoding == "zstd":
        return _unzstd(body)
    raise RequestRefused(
        415,
        "unsupported_encoding",
        f"Content-Encoding {encoding!r} is not supported; use gzip, zstd or none.",
    )


def _gunzip(body: bytes) -> bytes:
    """All members of a gzip stream (RFC 1952 allows several)."""
    return _unpack(body, "gzip", lambda: zlib.decompressobj(16 + zlib.MAX_WBITS))


def _unzstd(body: bytes) -> bytes:
    """All frames of a zstd stream (RFC 8878)."""
    return _unpack(body, "zstd", zstd.ZstdDecompressor)


def _unpack(body: bytes, name: str, start: Callable[[], _Decompressor]) -> bytes:
    output = bytearray()
    view = memoryview(body)
    place = members = 0
    while place < len(body):
        members += 1
        if members > MAX_EVENTS:
            raise _too_many(name)
        member = start()
        while not member.eof:
            # In pieces: what follows a member is copied, which for many small ones would be the body each time.
            piece = view[place : place + _PIECE]
            if not piece:
                raise _broken(name)
            try:
                output += member.decompress(piece, MAX_BODY_BYTES - len(output) + 1)
            except (zlib.error, zstd.ZstdError):
                raise _broken(name) from None
            if len(output) > MAX_BODY_BYTES:
                raise _too_big()
            place += len(piece) - len(member.unused_data)
    return bytes(output)


def _broken(name: str) -> RequestRefused:
    return RequestRefused(
        400, "broken_encoding", f"The body is not whole {name}; compress it again and resend."
    )


def _too_big() -> RequestRefused:
    return RequestRefused(
        413,
        "body_too_large",
        f"Decompressed, the body has more than {MAX_BODY_BYTES} bytes; send smaller batches.",
    )


def _too_many(name: str) -> RequestRefused:
    """A megabyte holds a hundred thousand empty ones, and each costs its set-up."""
    return RequestRefused(
        413,
        "too_many_members",
        f"The body has more than {MAX_EVENTS} {name} members; compress it as one.",
    )
