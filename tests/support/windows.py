"""Events put into the tables as a flush leaves them, and what workers made of them."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg

from accounts.models import Project
from accounts.services import create_project
from events import segments
from events.connections import conninfo
from events.epoch import EPOCH
from events.partitions import PARTITIONS, partition_of
from processing.catalog import forget_routers
from processing.connections import close_worker_connections
from processing.definitions import Definition
from processing.draining import drain_partitions
from processing.models import Pipeline, PipelineVersion
from processing.recounting import Recount, recount
from processing.services import deploy_pipeline

ALL = range(PARTITIONS)
_states = msgspec.msgpack.Decoder(list[list[float]])
WINDOW_TABLES = (
    "deployment", "watermark", "window_state", "window_grown", "window_result", "late_event", "poison_segment",
    "event", "event_segment", "event_route",
)  # fmt: skip
FRESH_PROGRESS = (
    "UPDATE partition_progress SET attempts = 0, stage = 0, isolate_through = NULL, head_segment = NULL,"
    " head_version = NULL, head_done = '{}', attempted_at = NULL, drained_at = NULL"
)
_INSERT_EVENT = (
    "INSERT INTO event (project_id, time, uid, type, source, subject, partition_key, partition, value, received_at)"
    " VALUES (%s, %s, %s, %s, 'test', '', %s, %s, %s, %s)"
)
_INSERT_SEGMENT = (
    "INSERT INTO event_segment (partition, flush_id, ordinal, received_at, events, payload)"
    " VALUES (%s, %s, 0, %s, %s, %s) RETURNING id"
)


@dataclass(frozen=True)
class Sent:
    """An event as a test sends it."""

    time: datetime
    value: float | None = 1.0
    kind: str = "flight"
    key: str = "k"
    uid: UUID = field(default_factory=uuid4)


class Log:
    """Reads and writes rows by a connection of its own, each statement committed at once."""

    def __init__(self, url: str | None = None) -> None:
        self.connection = psycopg.connect(url or conninfo(), autocommit=True)
        self.connection.execute("SET TIME ZONE 'UTC'")

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        return self.rows(query, *parameters)[0][0]

    def execute(self, statement: str, *parameters: object) -> None:
        self.connection.execute(statement.encode(), parameters)

    def now(self) -> datetime:
        now: datetime = self.value("SELECT clock_timestamp()")
        return now

    def flush(
        self,
        project_id: int,
        events: Iterable[Sent],
        *,
        partition: int | None = None,
        received_at: datetime | None = None,
        payload: bytes | None = None,
    ) -> list[int]:
        """Commit events with their segments, as one flush does. Returns the segments' ids."""
        sent = list(events)
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [EPOCH])
            instant = received_at or cursor.execute("SELECT clock_timestamp()").fetchone()[0]  # type: ignore[index]
            by_partition: dict[int, list[Sent]] = {}
            for one in sent:
                place = partition_of(project_id, one.key) if partition is None else partition
                by_partition.setdefault(place, []).append(one)
            rows = [
                (project_id, one.time, one.uid, one.kind, one.key, place, one.value, instant)
                for place, members in by_partition.items()
                for one in members
            ]
            cursor.executemany(_INSERT_EVENT, rows)
            flush_id, ids = uuid4(), []
            for place, members in sorted(by_partition.items()):
                packed = (
                    payload
                    if payload is not None
                    else segments.pack([_packed(project_id, one) for one in members])
                )
                row = cursor.execute(
                    _INSERT_SEGMENT, [place, flush_id, instant, len(members), packed]
                ).fetchone()
                ids.append(int(row[0]))  # type: ignore[index]
            return ids

    def results(self, version: PipelineVersion) -> list[tuple[Any, ...]]:
        """(group, start, revision, final, count, sum, min, max) of every revision."""
        return self.rows(
            "SELECT group_key, window_start, revision, final, count, sum, min, max FROM window_result"
            " WHERE version_id = %s ORDER BY window_start, group_key, revision",
            version.pk,
        )

    def counted(self, version: PipelineVersion) -> int:
        """Events in the partial windows of a version."""
        packed = self.rows("SELECT partial FROM window_state WHERE version_id = %s", version.pk)
        return sum(int(_states.decode(partial)[0][0]) for (partial,) in packed)

    def waiting(self) -> int:
        count: int = self.value("SELECT count(*) FROM event_segment")
        return count

    def set_watermarks(
        self, version: PipelineVersion, instant: datetime, partitions: Iterable[int] = ALL
    ) -> None:
        """As if every event up to `instant` plus the delay had been folded."""
        self.execute(
            "UPDATE watermark SET watermark = %s WHERE version_id = %s AND partition = ANY(%s)",
            instant, version.pk, list(partitions),
        )  # fmt: skip

    def progress(self, partition: int) -> Mapping[str, Any]:
        with self.connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute("SELECT * FROM partition_progress WHERE partition = %s", [partition])
            return cursor.fetchone() or {}

    def wipe(self) -> None:
        """A log that nobody has used yet."""
        for table in WINDOW_TABLES:
            self.execute(f"DELETE FROM {table}")
        self.execute(FRESH_PROGRESS)
        self.execute("UPDATE ingest_epoch SET routing_version = routing_version + 1")
        forget_routers()

    def close(self) -> None:
        self.connection.close()


def _packed(project_id: int, one: Sent) -> segments.SegmentEvent:
    time_us = (one.time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return segments.SegmentEvent(
        project_id, time_us, one.uid.bytes, one.kind, "test", "", one.key, one.value, b'{"n": 1}'
    )


@contextlib.contextmanager
def windows_log() -> Iterator[Log]:
    """A clean log, and a clean end."""
    log = Log()
    log.wipe()
    try:
        yield log
    finally:
        log.wipe()
        log.close()
        close_worker_connections()


def make_project(raw_retention_days: int = 90) -> Project:
    slug = f"w-{uuid4().hex[:12]}"
    return create_project(slug=slug, name=slug, raw_retention_days=raw_retention_days)


def deploy(
    project: Project,
    *,
    name: str = "by-type",
    types: Sequence[str] = ("*",),
    size: float = 10,
    delay: float = 5,
    lateness: float = 60,
) -> PipelineVersion:
    """A pipeline of tumbling windows, live from now; durations in seconds."""
    pipeline, _ = Pipeline.objects.get_or_create(project=project, name=name)
    definition = Definition(
        types=tuple(types),
        window_size=timedelta(seconds=size),
        watermark_delay=timedelta(seconds=delay),
        allowed_lateness=timedelta(seconds=lateness),
    )
    return deploy_pipeline(pipeline=pipeline, definition=definition)


def recount_all(version: PipelineVersion, log: Log) -> Recount:
    now = log.now()
    return recount(pipeline=version.pipeline, start=now - timedelta(days=2), end=now + timedelta(days=1))


def fold(log: Log, project: Project, *events: Sent, partition: int | None = None) -> None:
    log.flush(project.pk, events, partition=partition)
    drain_partitions(partitions=ALL)
