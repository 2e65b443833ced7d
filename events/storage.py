"""The hot write: one flush in one transaction, exactly as docs/architecture.md and the SQL beside it say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import psycopg
import uuid_utils.compat

from events import rows
from events.claims import Claims, claim_keys, recall_keys, record_answers
from events.failpoints import failpoint
from events.flushes import (
    Flush,
    Outcome,
    all_rejections,
    count_by_type,
    pack_positions,
    replayed_outcome,
    verdicts_of,
)
from events.isolation import insert_isolated
from events.packed import PackedTimes, PackedUuids
from events.preparing import Prepared, microseconds
from events.routing import NO_ROUTES, Routes
from events.segments import SegmentEvent, pack
from events.sqlfiles import load_sql
from events.tail import TailSampler
from events.usage import count_by_key

MAX_SEGMENT_BYTES: Final = 256 * 1024
MINUTE_US: Final = 60_000_000

_IDENTITY: Final = load_sql("identity")
_FINISH: Final = load_sql("finish_flush")
_SEGMENTS: Final = load_sql("insert_segments")
_LATENCIES: Final = load_sql("add_latencies")
_REJECTED: Final = load_sql("insert_rejected")
_COPY: Final = f"COPY event ({rows.EVENT_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_BEGIN: Final = (
    "SELECT fresh, routing_version, generation, received_at, duplicates, refused FROM ingest_begin(%s, %s)"
)

Row = tuple[Any, ...]
Connection = psycopg.Connection[Row]
Cursor = psycopg.Cursor[Row]


@dataclass(slots=True)
class Store:
    """What a writer remembers between flushes: its process's id, the routes, the tail's allowance."""

    process: UUID
    tail: TailSampler
    routes: Routes = NO_ROUTES
    latencies: list[int] | None = None  # of earlier flushes, to be written with the next one
    copies: bool = True  # False where the server has no COPY


def store_flush(connection: Connection, flush: Flush, store: Store) -> Outcome:
    """Commit a flush, or find that it had committed. Idempotent by the flush's id.

    An event that the database refuses (SQLSTATE class 22 or 23) is set apart; all others are stored.
    Raises psycopg.Error for everything else; the flush may then have committed or not.
    """
    try:
        outcome = _store(connection, flush, store, isolated=not store.copies)
    except (psycopg.DataError, psycopg.IntegrityError):
        outcome = _store(connection, flush, store, isolated=True)
    failpoint("ingest.after_commit")
    return outcome


def _store(connection: Connection, flush: Flush, store: Store, *, isolated: bool) -> Outcome:
    with connection.transaction(), connection.cursor(binary=True) as cursor:
        fresh, routing_version, generation, received_at, duplicates, refused = _one(
            cursor.execute(_BEGIN, (flush.id, store.process), prepare=True)
        )
        if not fresh:
            return _recalled(cursor, flush, replayed_outcome(received_at, duplicates, refused))
        if routing_version != store.routes.version:
            cursor.execute("SELECT project_id, pattern FROM event_route")
            store.routes = Routes(routing_version, cast("list[tuple[int, str]]", cursor.fetchall()))
        outcome = Outcome(received_at)
        if flush.keyed:
            flush = _apply(claim_keys(cursor, flush, outcome), outcome)
        outcome.duplicates = _find_duplicates(cursor, flush, generation)
        if isolated:
            insert_isolated(connection, cursor, flush, outcome, generation)
        else:
            _copy_events(cursor, outcome.stored(flush), received_at)
        _write_log(cursor, flush, outcome, store)
        _finish(cursor, flush, outcome, store)
        if flush.keyed:
            record_answers(cursor, flush, outcome)
        _accompany(cursor, flush, outcome)
        failpoint("ingest.before_commit")
    store.latencies = None
    return outcome


def _recalled(cursor: Cursor, flush: Flush, outcome: Outcome) -> Outcome:
    if flush.keyed:
        _apply(recall_keys(cursor, flush), outcome)
    return outcome


def _apply(claims: Claims, outcome: Outcome) -> Flush:
    """What is left of the flush once the requests that were answered before are taken out."""
    outcome.part, outcome.settled = claims.flush, claims.settled
    return claims.flush


def _one(cursor: Cursor) -> Row:
    row = cursor.fetchone()
    assert row is not None
    return row


def _find_duplicates(cursor: Cursor, flush: Flush, generation: int) -> set[int]:
    """Positions whose id was seen before: in this flush (the first wins) or in the identity table."""
    first: dict[bytes, int] = {}
    duplicates: set[int] = set()
    for position, event in enumerate(flush.events):
        if event.identified and first.setdefault(event.uid, position) != position:
            duplicates.add(position)
    if first:
        known = _insert_identity(cursor, flush, first, generation)
        duplicates.update(first[key] for key in known)
    return duplicates


def _insert_identity(cursor: Cursor, flush: Flush, first: dict[bytes, int], generation: int) -> set[bytes]:
    keys = sorted(first)
    times = rows.timestamp_array([flush.events[first[key]].time_us for key in keys])
    parameters = {
        "generation": generation,
        "keys": PackedUuids.of(keys),
        "times": PackedTimes(times),
        "sent": len(keys),
    }
    count, fresh = _one(cursor.execute(_IDENTITY, parameters, prepare=True))
    if count == len(keys):
        return set()
    inserted = fresh or b""
    return first.keys() - {bytes(inserted[at : at + 16]) for at in range(0, len(inserted), 16)}


def _copy_events(cursor: Cursor, events: list[Prepared], received_at: datetime) -> None:
    if not events:
        return
    ordered = sorted([event.row for event in events])
    with cursor.copy(_COPY) as copy:
        copy.write(rows.copy_block(ordered, microseconds(received_at)))


def _write_log(cursor: Cursor, flush: Flush, outcome: Outcome, store: Store) -> None:
    """The segments of the events that a pipeline wants, one row a partition."""
    wants = store.routes.wants
    by_partition: dict[int, list[SegmentEvent]] = {}
    for submission, start in zip(flush.submissions, flush.starts, strict=True):
        if not (submission.logged and store.routes.wants_any(submission.project_id)):
            continue
        for place, event in enumerate(submission.prepared, start):
            if wants(event.project_id, event.type) and outcome.keeps(place):
                by_partition.setdefault(event.partition, []).append(_segment_event(event))
    if not by_partition:
        return
    packed = [
        (partition, ordinal, count, payload)
        for partition, events in sorted(by_partition.items())
        for ordinal, (count, payload) in enumerate(pack_within(events))
    ]
    partitions, ordinals, counts, payloads = map(list, zip(*packed, strict=True))
    cursor.execute(
        _SEGMENTS,
        {"flush": flush.id, "received_at": outcome.received_at, "partitions": partitions, "ordinals": ordinals,
         "events": counts, "payloads": payloads},
        prepare=True,
    )  # fmt: skip
    outcome.partitions = frozenset(by_partition)


def _segment_event(event: Prepared) -> SegmentEvent:
    return SegmentEvent(
        event.project_id, event.time_us, event.uid, event.type, event.source, event.subject, event.key, event.value,
        event.data,
    )  # fmt: skip


def pack_within(events: list[SegmentEvent], limit: int = MAX_SEGMENT_BYTES) -> list[tuple[int, bytes]]:
    """(events, payload) of each segment, halved until none is over the limit or a single event is."""
    payload = pack(events)
    if len(payload) <= limit or len(events) == 1:
        return [(len(events), payload)]
    middle = len(events) // 2
    return pack_within(events[:middle], limit) + pack_within(events[middle:], limit)


def _finish(cursor: Cursor, flush: Flush, outcome: Outcome, store: Store) -> None:
    rejected = all_rejections(flush, outcome)
    stored = outcome.stored(flush)
    sampled = store.tail.sample(flush, outcome)
    ledger = sorted({(event.project_id, event.time_us // MINUTE_US * MINUTE_US) for event in stored})
    cursor.execute(
        _FINISH,
        {
            "flush": flush.id,
            "process": store.process,
            "received_at": outcome.received_at,
            "ledger_projects": [project_id for project_id, _ in ledger],
            "ledger_buckets": PackedTimes.of([minute for _, minute in ledger]),
            **count_by_type(flush, outcome, rejected),
            **count_by_key(flush, outcome),
            "tail_projects": [event.project_id for event in sampled],
            "tail_times": PackedTimes.of([event.time_us for event in sampled]),
            "tail_uids": PackedUuids.of([event.uid for event in sampled]),
            "duplicates": pack_positions(outcome.duplicates),
            "refused": pack_positions(outcome.refused),
        },
        prepare=True,
    )
    if rejected:
        _insert_rejected(cursor, rejected, outcome.received_at)
    if store.latencies:
        cursor.execute(_LATENCIES, {"process": store.process, "latencies": store.latencies}, prepare=True)


def _accompany(cursor: Cursor, flush: Flush, outcome: Outcome) -> None:
    """What a door commits together with the events of its request."""
    if any(submission.companion for submission in flush.submissions):
        for submission, verdicts in zip(flush.submissions, verdicts_of(flush, outcome), strict=True):
            if submission.companion:
                submission.companion(cursor, verdicts)


def _insert_rejected(cursor: Cursor, rejected: Sequence[tuple[Any, Any]], received_at: datetime) -> None:
    cursor.execute(
        _REJECTED,
        {
            "received_at": received_at,
            "ids": [uuid_utils.compat.uuid7() for _ in rejected],
            "projects": [submission.project_id for submission, _ in rejected],
            "requests": [submission.request_id for submission, _ in rejected],
            "keys": [submission.key_id for submission, _ in rejected],
            "positions": [rejection.position for _, rejection in rejected],
            "types": [rejection.type for _, rejection in rejected],
            "codes": [rejection.error.code for _, rejection in rejected],
            "pointers": [rejection.error.pointer for _, rejection in rejected],
            "messages": [rejection.error.message for _, rejection in rejected],
            "raws": [rejection.raw for _, rejection in rejected],
        },
    )


def write_latencies(connection: Connection, store: Store) -> None:
    """Write the latencies of the last flushes when no flush follows to carry them."""
    connection.execute(_LATENCIES, {"process": store.process, "latencies": store.latencies}, binary=True)
    store.latencies = None
