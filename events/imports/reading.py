"""Batches out of a file, each with the place where the next begins; NDJSON as it stands. Pure but for the file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from events.errors import InvalidEvent
from events.imports.sniffing import BOM
from events.limits import MAX_EVENT_BYTES, MAX_EVENTS

# A body up to here takes the decoder's quick path; the writer commits several of them at once.
BLOCK: Final = MAX_EVENT_BYTES
RAW_KEPT: Final = 16 * 1024
_LONGEST: Final = MAX_EVENT_BYTES + 2  # with its line break


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a batch begins: a byte of the file (a row, in Parquet), and the lines before it."""

    position: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that was refused, by the 1-based line it began on."""

    line: int
    error: InvalidEvent
    raw: bytes


# From an event's place in a batch's body: its line, and its row as the file has it (None: the event's own text).
Origin = Callable[[int], tuple[int, bytes | None]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: `body` is NDJSON (perhaps empty), `refusals` never became events."""

    start: Cursor
    end: Cursor
    body: bytes
    origin: Origin
    refusals: list[Refusal] = field(default_factory=list)


def too_large(size: int) -> InvalidEvent:
    return InvalidEvent("event_too_large", "", f"The row has {size} bytes; the limit is {MAX_EVENT_BYTES}.")


def skip_mark(file: BinaryIO, start: Cursor) -> Cursor:
    """Past a byte order mark, which editors put at the beginning."""
    if start.position:
        return start
    file.seek(0)
    return Cursor(len(BOM), 0) if file.read(len(BOM)) == BOM else start


def read_ndjson(file: BinaryIO, start: Cursor) -> Iterator[Batch]:
    """Lines in blocks. A line over the limit is refused without being held in memory."""
    cursor = start
    begin = skip_mark(file, start)
    while True:
        file.seek(begin.position)
        block = file.read(BLOCK)
        if not block:
            return
        batch = _block_batch(cursor, begin, block) or _line_batch(file, cursor, begin)
        yield batch
        cursor = begin = batch.end


def _block_batch(cursor: Cursor, begin: Cursor, block: bytes) -> Batch | None:
    """The whole lines of a block; None when it has not even one."""
    cut = block.rfind(b"\n") + 1 if len(block) == BLOCK else len(block)
    if cut == 0:
        return None
    body = block[:cut]
    lines = body.count(b"\n")
    if lines > MAX_EVENTS:
        body = body[: len(body) - len(body.split(b"\n", MAX_EVENTS)[-1])]
        lines = MAX_EVENTS
    end = Cursor(begin.position + len(body), begin.line + lines + (not body.endswith(b"\n")))
    return Batch(cursor, end, body, _origin_in(body, begin.line))


def _line_batch(file: BinaryIO, cursor: Cursor, begin: Cursor) -> Batch:
    """One line as long as a block, or longer."""
    file.seek(begin.position)
    line = file.readline(_LONGEST)
    if line.endswith(b"\n") or len(line) < _LONGEST:
        end = Cursor(begin.position + len(line), begin.line + 1)
        return Batch(cursor, end, line, _origin_in(line, begin.line))
    size = len(line) + skip_line(file)
    end = Cursor(begin.position + size, begin.line + 1)
    refusal = Refusal(begin.line + 1, too_large(size), line[:RAW_KEPT])
    return Batch(cursor, end, b"", _origin_in(b"", begin.line), [refusal])


def skip_line(file: BinaryIO) -> int:
    """The bytes up to the end of the line, read in pieces."""
    skipped = 0
    while piece := file.readline(BLOCK):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _origin_in(body: bytes, before: int) -> Origin:
    """Lines are counted only when something was refused: blank ones are no events, but count as lines."""

    def origin(place: int) -> tuple[int, bytes | None]:
        seen = -1
        for number, line in enumerate(body.split(b"\n"), before + 1):
            seen += bool(line and not line.isspace())
            if seen == place:
                return number, None
        raise IndexError(place)

    return origin
