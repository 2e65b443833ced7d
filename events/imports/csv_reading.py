"""CSV (RFC 4180) in batches, by the standard library's reader, resumable at any row."""

import csv
from collections.abc import Iterator
from typing import BinaryIO, Final

from events.errors import InvalidEvent
from events.imports.errors import ImportFailed
from events.imports.mapper import Mapper
from events.imports.mapping import Mapping
from events.imports.reading import (
    BLOCK,
    RAW_KEPT,
    Batch,
    Cursor,
    Origin,
    Refusal,
    skip_line,
    skip_mark,
    too_large,
)
from events.limits import MAX_EVENT_BYTES, MAX_EVENTS

_LONGEST: Final = MAX_EVENT_BYTES + 2
csv.field_size_limit(MAX_EVENT_BYTES)


class _TooLong(Exception):
    """A record over the limit."""


class Records:
    """The records of a file from a byte on: `began`, `raw` and `end` are of the last one."""

    def __init__(self, file: BinaryIO, start: Cursor, delimiter: str) -> None:
        self._file = file
        self._delimiter = delimiter
        self._began = start
        self._first = b""
        self._raw = bytearray()
        self.position, self.line = start.position, start.line
        self._file.seek(start.position)

    @property
    def raw(self) -> bytes:
        return bytes(self._raw)

    @property
    def end(self) -> Cursor:
        return Cursor(self.position, self.line)

    @property
    def began(self) -> Cursor:
        """Where the last record began."""
        return self._began

    def next(self) -> list[str] | None:
        """The next record, [] for a blank line, None at the end. Raises InvalidEvent for one that is none.

        Then it goes on behind the record's first line: a quote that nobody closed costs one line, not the file.
        """
        self._began, self._raw, self._first = self.end, bytearray(), b""
        try:
            row = next(csv.reader(self._lines(), delimiter=self._delimiter, strict=True), None)
        except csv.Error as error:
            self._retreat()
            raise InvalidEvent("malformed_csv", "", f"This row is not CSV: {error}.") from None
        except _TooLong:
            size = self.position - self._began.position
            if self.line > self._began.line + 1:
                self._retreat()
            raise too_large(size) from None
        if not self._raw.isascii():
            self._check_text()
        return row

    def _check_text(self) -> None:
        try:
            self._raw.decode()
        except UnicodeDecodeError as error:
            raise InvalidEvent(
                "invalid_utf8", "", f"The row is not UTF-8: byte {error.start} of it."
            ) from None

    def _lines(self) -> Iterator[str]:
        while line := self._file.readline(_LONGEST):
            if len(line) == _LONGEST and not line.endswith(b"\n"):
                self._take(line, skip_line(self._file))
                raise _TooLong
            self._take(line, 0)
            if len(self._raw) > _LONGEST:
                raise _TooLong
            yield line.decode("utf-8", "surrogateescape")

    def _take(self, line: bytes, skipped: int) -> None:
        self.position += len(line) + skipped
        self.line += 1
        self._raw += line
        self._first = self._first or line

    def _retreat(self) -> None:
        self.position = self._began.position + len(self._first)
        self.line = self._began.line + 1
        self._raw = bytearray(self._first)
        self._file.seek(self.position)


def read_columns(file: BinaryIO, mapping: Mapping) -> tuple[list[str], Cursor]:
    """The column names and where the rows begin. Raises ImportFailed."""
    records = Records(file, skip_mark(file, Cursor()), mapping.delimiter)
    try:
        first = records.next()
    except InvalidEvent as error:
        raise ImportFailed("bad_header", f"The first line is no header: {error.message}") from None
    if not first:
        raise ImportFailed("bad_header", "The file has no header: its first line must name the columns.")
    if not mapping.header:
        return [f"column{number}" for number in range(1, len(first) + 1)], records.began
    return [name.strip() for name in first], records.end


def read_csv(file: BinaryIO, mapping: Mapping, start: Cursor) -> Iterator[Batch]:
    """Rows through the mapping. Raises ImportFailed when header and mapping do not fit."""
    columns, rows = read_columns(file, mapping)
    mapper = Mapper(mapping, columns)
    records = Records(file, start if start.position else rows, mapping.delimiter)
    cursor = start
    while (batch := _read_batch(records, mapper, len(columns), cursor)) is not None:
        yield batch
        cursor = batch.end


def _read_batch(records: Records, mapper: Mapper, width: int, start: Cursor) -> Batch | None:
    texts: list[bytes] = []
    origins: list[tuple[int, bytes]] = []
    refusals: list[Refusal] = []
    begun, size = records.position, 0
    while size < BLOCK // 2 and records.position - begun < BLOCK and len(texts) + len(refusals) < MAX_EVENTS:
        try:
            row = records.next()
            if row is None:
                break
            if row:
                texts.append(_event(mapper, row, width))
                size += len(texts[-1])
                origins.append((records.began.line + 1, records.raw))
        except InvalidEvent as error:
            refusals.append(Refusal(records.began.line + 1, error, records.raw[:RAW_KEPT]))
    if records.position == begun:
        return None
    return Batch(start, records.end, b"\n".join(texts), _origin_of(origins), refusals)


def _origin_of(origins: list[tuple[int, bytes]]) -> Origin:
    return lambda place: origins[place]


def _event(mapper: Mapper, row: list[str], width: int) -> bytes:
    if len(row) > width:
        raise InvalidEvent(
            "malformed_csv",
            "",
            f"The row has {len(row)} cells, the header {width}: quote what holds a delimiter.",
        )
    return mapper.event(row)
