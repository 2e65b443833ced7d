"""The database under the storage contract, with its one connection at a time, and the recount it is held against."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from secrets import randbelow
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
from django.db import connections

from events.connections import connect_writer
from events.decoding import AttributedEvent, decode_event
from events.editions import rollup_kind
from events.flushes import Flush, Outcome
from events.packed import register_packed_arrays
from events.preparing import Bounds, Prepared, prepare
from events.queries import Row, execute, fetch
from events.selectors import SeriesPoint, select_series
from events.storage import Store, store_flush
from events.submissions import Rejection, Submission
from events.tail import TailSampler

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
USING = "default"
TABLES = (
    "event", "event_identity", "ingest_flush", "ingest_count", "ingest_latency", "event_tail", "event_segment",
    "event_route", "rollup_ledger", "rejected_event", "rejected_bulk", "ingest_usage", "ingest_drop",
)  # fmt: skip

_ANY_TIME = Bounds(-(2**62), 2**62, 90)
_projects = count(1_000_000 + randbelow(2**30))

# Written apart from the product's SQL: what the rollup and its selector must equal.
_RECOUNT = """
    SELECT date_bin(%(interval)s, time, '2000-01-03'), type, source, count(*), count(value), sum(value), min(value),
           max(value), sum(value * value)
    FROM event WHERE project_id = %(project_id)s AND time >= %(start)s AND time < %(end)s
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def new_project() -> int:
    """Data tables know projects as plain integers; each test has its own."""
    return next(_projects)


def event(project_id: int, when: datetime, **fields: object) -> Prepared:
    """One event as the decoder and the preparation make it."""
    sent = {"type": "reading", "time": when.isoformat(), **fields}
    decoded = decode_event(msgspec.json.encode(sent), plain=False)
    now_us = time.time_ns() // 1000
    return prepare(decoded, position=0, project_id=project_id, now_us=now_us, bounds=_ANY_TIME)


def attributed_event(project_id: int, when: datetime, attributes: bytes, **fields: object) -> Prepared:
    """One event as another protocol makes it, with attributes (JSON text) beside our fields."""
    sent = {"type": "reading", "time": when.isoformat(), **fields}
    decoded = msgspec.json.decode(msgspec.json.encode(sent), type=AttributedEvent)
    decoded.attributes = msgspec.Raw(attributes)
    now_us = time.time_ns() // 1000
    return prepare(decoded, position=0, project_id=project_id, now_us=now_us, bounds=_ANY_TIME)


def flush_of(events: Sequence[Prepared], rejections: Sequence[Rejection] = ()) -> Flush:
    """One flush with one request of these events."""
    for position, prepared in enumerate(events):
        prepared.position = position
    submission = Submission(
        project_id=events[0].project_id,
        key_id=None,
        request_id=str(uuid4()),
        prepared=list(events),
        rejections=list(rejections),
        frames=[b"{}"] * (len(events) + len(rejections)),
        size=2,
        arrived=time.monotonic(),
        whole=False,
        logged=True,
        deliver=lambda _: None,
    )
    return Flush([submission])


def series(
    project_id: int,
    *,
    interval: timedelta = MINUTE,
    types: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
) -> list[SeriesPoint]:
    """The hour's series as the product answers it."""
    return select_series(
        project_id=project_id, start=NOON, end=NOON + HOUR, interval=interval, types=types, sources=sources
    )


class Database:
    """A migrated database. `copies` is false where COPY is not to be had."""

    def __init__(self, *, copies: bool) -> None:
        self.store_state = Store(process=uuid4(), tail=TailSampler(), copies=copies)

    def store(self, *events: Prepared) -> Outcome:
        return self.commit(flush_of(events))

    def commit(self, flush: Flush) -> Outcome:
        with self.writer() as connection:
            return store_flush(connection, flush, self.store_state)

    @contextmanager
    def writer(self) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
        """The writer's own connection, while Django has none: the Community harness serves one at a time."""
        connections[USING].close()
        with connect_writer(USING) as connection:
            register_packed_arrays(connection)
            yield connection

    def rows(self, statement: str, **parameters: object) -> list[Row]:
        return fetch(USING, statement, parameters)

    def value(self, statement: str, **parameters: object) -> Any:
        [(value,)] = self.rows(statement, **parameters)
        return value

    def execute(self, statement: str, **parameters: object) -> int:
        return execute(USING, statement, parameters)

    def recount(self, project_id: int, interval: timedelta = MINUTE) -> list[SeriesPoint]:
        """The hour's series by hand, from raw events."""
        rows = self.rows(_RECOUNT, project_id=project_id, start=NOON, end=NOON + HOUR, interval=interval)
        return [SeriesPoint(*row) for row in rows]

    def dirty(self, project_id: int) -> list[datetime]:
        statement = "SELECT DISTINCT bucket FROM rollup_ledger WHERE project_id = %(id)s ORDER BY bucket"
        return [bucket for (bucket,) in self.rows(statement, id=project_id)]

    def rolled_up(self, project_id: int) -> int:
        """Events that the rollup itself counts, whatever the ledger says."""
        statement = "SELECT COALESCE(sum(events), 0)::bigint FROM rollup_1m WHERE project_id = %(id)s"
        return int(self.value(statement, id=project_id))

    def clear(self) -> None:
        for table in (*TABLES, "rollup_1m") if rollup_kind() == "table" else TABLES:
            self.execute(f"DELETE FROM {table}")
        self.execute("UPDATE ingest_epoch SET routing_version = routing_version + 1")
