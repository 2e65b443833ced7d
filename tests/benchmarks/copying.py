"""The limit of a batch: COPY BINARY of the same rows from one connection into an identical hypertable."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from struct import pack
from typing import Any

import msgspec
import psycopg
import uuid_utils

from events.partitions import partition_of
from tests.benchmarks.payloads import EventPlan, events

COLUMNS = (
    "project_id, time, uid, type, source, subject, partition_key, partition, event_id, attributes, value, data,"
    " received_at"
)
COPY = f"COPY event_limit ({COLUMNS}) FROM STDIN (FORMAT BINARY)".encode()
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
Y2000 = datetime(2000, 1, 1, tzinfo=UTC)
ROWS_IN_A_TRANSACTION = 10_000  # as many as a flush holds at most

# LIKE takes columns, keys and CHECKs with it; the chunks are a day as well.
TABLE = """
CREATE TABLE IF NOT EXISTS event_limit (LIKE event INCLUDING ALL);
SELECT create_hypertable('event_limit', by_range('time', INTERVAL '1 day'), create_default_indexes => false,
                         if_not_exists => true);
TRUNCATE event_limit;
"""


def measure_copy(connection: "psycopg.Connection[Any]", *, project_id: int, rows: int) -> float:
    """Rows a second: packed ahead of the clock, one transaction per 10,000 rows, synchronous_commit on."""
    blocks = list(_blocks(project_id, rows))
    connection.execute("SET synchronous_commit = on")
    for statement in TABLE.strip().split(";\n"):
        if statement.strip():
            connection.execute(statement.encode())
    checkpoint(connection)
    began = time.perf_counter()
    for block in blocks:
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(block)
    seconds = time.perf_counter() - began
    stored = connection.execute("SELECT count(*) FROM event_limit").fetchone()
    assert stored == (rows,), stored
    return rows / seconds


def checkpoint(connection: "psycopg.Connection[Any]") -> None:
    """So that no run pays for the one before; needs a superuser, as the private cluster's owner is."""
    with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
        connection.execute("CHECKPOINT")


def _blocks(project_id: int, rows: int) -> Iterator[bytes]:
    packed = (_row(project_id, event) for event in events(EventPlan(with_ids=False)))
    for start in range(0, rows, ROWS_IN_A_TRANSACTION):
        block = itertools.islice(packed, min(ROWS_IN_A_TRANSACTION, rows - start))
        yield b"".join((SIGNATURE, *block, TRAILER))


def _row(project_id: int, event: dict[str, Any]) -> bytes:
    """One tuple of PostgreSQL's binary COPY format, in the order of COLUMNS; event_id and attributes are NULL."""
    subject = event["subject"]
    fields = (
        pack(">i", project_id),
        _timestamp(datetime.fromisoformat(event["time"])),
        uuid_utils.uuid7().bytes,
        event["type"].encode(),
        event["source"].encode(),
        subject.encode(),
        subject.encode(),
        pack(">h", partition_of(project_id, subject)),
        None,
        None,
        pack(">d", event["value"]),
        b"\x01" + msgspec.json.encode(event["data"]),  # the version of jsonb's wire form, then its text
        _timestamp(datetime.now(UTC)),
    )
    return pack(">h", len(fields)) + b"".join(
        NULL if field is None else pack(">i", len(field)) + field for field in fields
    )


def _timestamp(moment: datetime) -> bytes:
    """Microseconds since 2000-01-01, as PostgreSQL counts."""
    return pack(">q", (moment - Y2000) // timedelta(microseconds=1))
