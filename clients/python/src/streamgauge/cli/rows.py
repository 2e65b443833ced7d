"""Files of events, row by row: NDJSON and CSV, plain or gzip. Holds one line at a time."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from streamgauge.errors import InvalidEvent

Format = Literal["ndjson", "csv"]
LONGEST_LINE = 1024 * 1024
FIELDS = frozenset({"type", "id", "source", "subject", "key", "time", "value"})


@dataclass(frozen=True)
class Row:
    """A line number, from 1, and the event on it or why there is none. A CSV row counts by its last line."""

    line: int
    event: dict[str, Any] | InvalidEvent


def digest_of(path: Path) -> str:
    """Of the file's bytes: the same file gives its rows the same ids, another one others."""
    hashed = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while block := file.read(1024 * 1024):
            hashed.update(block)
    return hashed.hexdigest()


def format_of(path: Path) -> Format | None:
    """By the name, before `.gz`."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(".csv"):
        return "csv"
    return "ndjson" if name.endswith((".ndjson", ".jsonl")) else None


def open_rows(path: Path) -> tuple[BinaryIO, Callable[[], int]]:
    """(the plain bytes, a function that tells how many bytes of the file are read)."""
    raw = path.open("rb")
    if path.suffix.lower() != ".gz":
        return raw, raw.tell
    return gzip.GzipFile(fileobj=raw), raw.tell  # type: ignore[return-value]  # a BufferedIOBase


def read_rows(file: BinaryIO, file_format: Format) -> Iterator[Row]:
    return read_csv(file) if file_format == "csv" else read_ndjson(file)


def read_ndjson(file: BinaryIO) -> Iterator[Row]:
    """Blank lines count as lines, not as events."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while not line.endswith(b"\n") and (line := file.readline(LONGEST_LINE)):
                pass
            yield Row(number, InvalidEvent("event_too_large", f"the line is over {LONGEST_LINE} bytes"))
        elif line.strip():
            yield Row(number, _decoded(line))


def _decoded(line: bytes) -> dict[str, Any] | InvalidEvent:
    try:
        event = json.loads(line)
    except UnicodeDecodeError as error:
        return InvalidEvent("invalid_utf8", str(error))
    except (ValueError, RecursionError) as error:
        return InvalidEvent("malformed_json", str(error))
    return event if isinstance(event, dict) else InvalidEvent("wrong_type", "the line is not a JSON object")


def read_csv(file: BinaryIO) -> Iterator[Row]:
    """The first row names the columns: an event's fields by their names, any other goes into `data` as a string.

    An empty cell is left out.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    reader = csv.reader(text, strict=True)
    try:
        columns = next(reader, [])
        for cells in reader:
            if cells:
                yield Row(reader.line_num, _from_cells(columns, cells))
    except (csv.Error, UnicodeDecodeError) as error:
        # Where the next row begins is not known any more.
        yield Row(reader.line_num + 1, InvalidEvent("malformed_csv", f"{error}; nothing after it was read"))
    finally:
        text.detach()  # the file is the caller's to close


def _from_cells(columns: list[str], cells: list[str]) -> dict[str, Any] | InvalidEvent:
    if len(cells) != len(columns):
        return InvalidEvent("wrong_columns", f"{len(cells)} cells, and the first row names {len(columns)}")
    event: dict[str, Any] = {}
    data: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        if column in FIELDS:
            event[column] = cell
        else:
            data[column.removeprefix("data.")] = cell
    if "value" in event:
        event["value"] = _number(event["value"])
        if event["value"] is None:
            return InvalidEvent("wrong_type", "`value` must be a number")
    return {**event, "data": data} if data else event


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def identified(rows: Iterable[Row], *, run: str, kind: str | None) -> Iterator[Row]:
    """Rows with the id `run-line` where they have none of their own, and the type `kind` where they have none."""
    for row in rows:
        if isinstance(row.event, dict):
            own = {name: value for name, value in row.event.items() if value is not None}
            fallback = {"type": kind} if kind else {}
            yield Row(row.line, {**fallback, "id": f"{run}-{row.line}", **own})
        else:
            yield row
