"""Refused rows as files, a page at a time: NDJSON for programs, CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterator
from typing import Final

import msgspec

from events.imports.models import ImportJob
from events.imports.selectors import each_rejection

COLUMNS: Final = ("line", "code", "pointer", "message", "raw")
# A spreadsheet takes a cell that begins so for a formula, and would run what a stranger's file says.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_encode: Final = msgspec.json.Encoder().encode


def rejected_ndjson(job: ImportJob) -> Iterator[bytes]:
    for row in each_rejection(job):
        document = {
            "line": row.line, "code": row.code, "pointer": row.pointer, "message": row.message, "raw": _text(row.raw),
        }  # fmt: skip
        yield _encode(document) + b"\n"


def rejected_csv(job: ImportJob) -> Iterator[bytes]:
    yield _csv_line(COLUMNS)
    for row in each_rejection(job):
        cells = (row.code, row.pointer, row.message, _text(row.raw))
        yield _csv_line((str(row.line), *map(_harmless, cells)))


def _text(raw: bytes | memoryview) -> str:
    return bytes(raw).decode("utf-8", "replace").rstrip("\r\n")


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _csv_line(cells: tuple[str, ...]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()
