"""Unpacking compressed files in pieces: bounded memory, and an output that cannot outgrow its caps."""

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from backports import zstd

from events.imports.errors import ImportFailed

PIECE: Final = 64 * 1024
MEMBERS: Final = 100_000
# Small files may be anything: only past this many bytes does the ratio say that it is a bomb.
FREE_OF_RATIO: Final = 64 * 1024 * 1024


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor with zstd's manners: what did not fit into `max_length` comes with the next call."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.eof = False
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        output = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.eof, self.unused_data = self._inner.eof, self._inner.unused_data
        return output


def expanded(source: BinaryIO, encoding: str) -> Iterator[bytes]:
    """What `source` holds, in pieces of at most PIECE. Raises ImportFailed (broken_encoding)."""
    if encoding == "":
        while piece := source.read(PIECE):
            yield piece
        return
    start: Callable[[], _Decompressor] = _Gzip if encoding == "gzip" else zstd.ZstdDecompressor
    rest = source.read(PIECE)
    for _ in range(MEMBERS):
        member = start()
        while not member.eof:
            try:
                piece = member.decompress(rest, PIECE)
            except (zlib.error, zstd.ZstdError) as error:
                raise _broken(encoding, str(error)) from None
            rest = b""
            if piece:
                yield piece
            elif not member.eof and not (rest := source.read(PIECE)):
                raise _broken(encoding, "it ends too early")
        rest = member.unused_data or source.read(PIECE)
        if not rest:
            return
    raise _broken(encoding, f"it has more than {MEMBERS} members")


def expand(
    source: Path,
    target: Path,
    encoding: str,
    *,
    most_bytes: int,
    most_ratio: int,
    on_piece: Callable[[int], None],
) -> int:
    """Unpack `source` into `target`, which appears whole or not at all; its size.

    `on_piece` is told the bytes written, and may raise to stop. Raises ImportFailed.
    """
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    allowed = min(most_bytes, max(FREE_OF_RATIO, source.stat().st_size * most_ratio))
    size = 0
    try:
        with source.open("rb") as packed, part.open("wb") as output:
            for piece in expanded(packed, encoding):
                size += len(piece)
                if size > allowed:
                    raise ImportFailed(
                        "expands_too_far",
                        f"Unpacked, the file has more than {allowed} bytes; split it, or send it plain.",
                    )
                output.write(piece)
                on_piece(size)
            output.flush()
            os.fsync(output.fileno())
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return size


def read_head(source: Path, encoding: str, limit: int) -> bytes:
    """The first `limit` unpacked bytes. Raises ImportFailed."""
    head = bytearray()
    with source.open("rb") as packed:
        for piece in expanded(packed, encoding):
            head += piece
            if len(head) >= limit:
                break
    return bytes(head[:limit])


def _broken(encoding: str, why: str) -> ImportFailed:
    return ImportFailed(
        "broken_encoding", f"The file is not whole {encoding}: {why}. Compress it again and upload it."
    )
