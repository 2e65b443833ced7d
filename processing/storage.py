"""Rows of the fold: segments out of the log, partial windows, watermarks, the late ledger and attempts.

Every function but `begin_attempt` needs the locks that `hold` takes. Each costs one statement.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec

from events.packed import PackedTimes
from processing.aggregates import Partial
from processing.connections import type_Connection, type_Cursor
from processing.definitions import MICROSECOND, definition_of
from processing.instants import to_instant, to_us
from processing.pipeline import Fold, LateEvent, Plan, StateKey
from processing.queries import query

MAX_ATTEMPTS: Final = 3
# Longer than a drain's transaction lasts; a dead worker's partitions are taken over after it.
LEASE = timedelta(seconds=5)
IDLE_AFTER: Final = timedelta(seconds=10)
STAGE_MANY, STAGE_SEGMENT, STAGE_VERSION = 0, 1, 2

_ATTEMPT: Final = query("attempt")
_HOLD: Final = query("hold")
_TAKE: Final = query("take")
_HEAD: Final = query("head")
_DEPLOYMENTS: Final = query("deployments")
_WATERMARKS: Final = query("watermarks")
_READ_STATES: Final = query("read_states")
_WRITE_STATES: Final = query("write_states")
_WRITE_WATERMARKS: Final = query("write_watermarks")
_WRITE_GROWN: Final = query("write_grown")
_WRITE_LATE: Final = query("write_late")
_WRITE_POISON: Final = query("write_poison")
_FINISH: Final = query("finish")
_TRY_VERSION: Final = query("try_version")
_VERSION_DONE: Final = query("version_done")
_ADVANCE_IDLE: Final = query("advance_idle")
_EMPTY_PARTITIONS: Final = query("empty_partitions")
_WAITING_PARTITIONS: Final = query("waiting_partitions")

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[list[float | int]]).decode


class Attempt(NamedTuple):
    """A partition that this worker is about to drain. `tries` is 1 when the last drain committed."""

    partition: int
    tries: int
    stage: int


class Held(NamedTuple):
    """A partition that this transaction has locked, and which versions have folded its head segment."""

    partition: int
    head_segment: int | None
    head_done: list[int]


class Segment(NamedTuple):
    """A row of the log."""

    id: int
    partition: int
    flush_id: UUID
    ordinal: int
    received_at: datetime
    events: int
    payload: bytes


def begin_attempt(
    connection: type_Connection, *, partitions: Collection[int], limit: int, segments_each: int, worker: str
) -> list[Attempt]:
    """Count an attempt, in a transaction of its own, on up to `limit` free partitions that have segments.

    `segments_each` is how many segments of a partition a drain takes, and so how many a failure may be due to.
    """
    rows = connection.execute(
        _ATTEMPT,
        {
            "partitions": list(partitions),
            "limit": limit,
            "segments_each": segments_each,
            "worker": worker,
            "lease": LEASE,
            "max_attempts": MAX_ATTEMPTS,
        },
        binary=True,
    )
    return [Attempt(*row) for row in rows]


def waiting(
    connection: type_Connection, *, partitions: Collection[int], older_than: timedelta = timedelta(0)
) -> list[int]:
    """Which partitions have a segment that was received at least `older_than` ago. Takes no lock."""
    values = {"partitions": list(partitions), "older_than": older_than}
    return [partition for (partition,) in connection.execute(_WAITING_PARTITIONS, values)]


def hold(cursor: type_Cursor, *, partitions: Collection[int]) -> list[Held]:
    """Lock the partitions that nobody holds, until the transaction ends."""
    cursor.execute(_HOLD, {"partitions": list(partitions)}, binary=True)
    return [Held(*row) for row in cursor]


def take_segments(
    cursor: type_Cursor, *, partitions: Sequence[int], count: int, bytes_each: int
) -> tuple[list[Segment], int]:
    """Delete the oldest segments: up to `count` and about `bytes_each` of each partition, at least one.

    Returns them in order, and the routing version that they were received under or an earlier one.
    """
    values = {"partitions": list(partitions), "count": count, "bytes": bytes_each}
    rows = cursor.execute(_TAKE, values, binary=True).fetchall()
    return [Segment(*row[:-1]) for row in rows], rows[0][-1] if rows else 0


def head_segment(cursor: type_Cursor, *, partition: int) -> tuple[Segment, int] | None:
    row = cursor.execute(_HEAD, {"partition": partition}, binary=True).fetchone()
    return (Segment(*row[:-1]), row[-1]) if row else None


def delete_segment(cursor: type_Cursor, *, segment_id: int) -> None:
    cursor.execute("DELETE FROM event_segment WHERE id = %s", [segment_id])


def deployed_plans(cursor: type_Cursor) -> tuple[list[Plan], int | None]:
    """Every unfinished version as a plan, and the routing version they belong to (None without any)."""
    rows = cursor.execute(_DEPLOYMENTS, binary=True).fetchall()
    return [_plan(*row[:-1]) for row in rows], rows[0][-1] if rows else None


def _plan(
    version_id: int,
    pipeline_id: int,
    project_id: int,
    stored: dict[str, Any],
    effective_from: datetime,
    effective_until: datetime | None,
) -> Plan:
    definition = definition_of(stored)
    return Plan(
        version_id=version_id,
        pipeline_id=pipeline_id,
        project_id=project_id,
        matches=definition.matcher(),
        window=definition.window,
        aggregates=definition.aggregates,
        delay_us=definition.watermark_delay // MICROSECOND,
        lateness_us=definition.allowed_lateness // MICROSECOND,
        from_us=to_us(effective_from),
        until_us=to_us(effective_until) if effective_until else None,
    )


def committed_watermarks(
    cursor: type_Cursor, *, versions: Collection[int], partitions: Collection[int]
) -> dict[tuple[int, int], int | None]:
    """Microseconds by (version, partition), as the last holder of the partition's lock left them."""
    cursor.execute(_WATERMARKS, {"versions": list(versions), "partitions": list(partitions)}, binary=True)
    return {(version, partition): to_us(at) if at else None for version, partition, at in cursor}


def read_states(cursor: type_Cursor, keys: Sequence[StateKey]) -> list[tuple[StateKey, Partial]]:
    values = {
        "versions": [key.version_id for key in keys],
        "partitions": [key.partition for key in keys],
        "groups": [key.group_key for key in keys],
        "starts": PackedTimes.of([key.start_us for key in keys]),
    }
    cursor.execute(_READ_STATES, values, binary=True)
    return [(keys[place - 1], _unpack(partial)) for place, partial in cursor]


def write_states(cursor: type_Cursor, partials: Mapping[StateKey, Partial]) -> None:
    keys = sorted(partials)
    values = {
        "versions": [key.version_id for key in keys],
        "partitions": [key.partition for key in keys],
        "groups": [key.group_key for key in keys],
        "starts": PackedTimes.of([key.start_us for key in keys]),
        "ends": PackedTimes.of([key.end_us for key in keys]),
        "partials": [_pack(partials[key]) for key in keys],
    }
    cursor.execute(_WRITE_STATES, values, binary=True)


def write_watermarks(cursor: type_Cursor, fold: Fold, plans: Mapping[int, Plan]) -> None:
    """Move each touched (version, partition) to its greatest min(time, received_at) less the delay."""
    places = sorted(fold.reached)
    values = {
        "versions": [version for version, _ in places],
        "partitions": [partition for _, partition in places],
        "watermarks": PackedTimes.of([fold.reached[place] - plans[place[0]].delay_us for place in places]),
        "received": PackedTimes.of([fold.received[place] for place in places]),
    }
    cursor.execute(_WRITE_WATERMARKS, values, binary=True)


def write_grown(cursor: type_Cursor, windows: Iterable[tuple[int, str, int, int]]) -> None:
    rows = sorted(windows)
    values = {
        "versions": [row[0] for row in rows],
        "groups": [row[1] for row in rows],
        "starts": PackedTimes.of([row[2] for row in rows]),
        "ends": PackedTimes.of([row[3] for row in rows]),
    }
    cursor.execute(_WRITE_GROWN, values, binary=True)


def write_late(cursor: type_Cursor, late: Iterable[LateEvent]) -> None:
    cursor.executemany(_WRITE_LATE, [_late_row(one) for one in late])


def _late_row(late: LateEvent) -> tuple[object, ...]:
    plan, event = late.plan, late.event
    return (
        plan.project_id, plan.pipeline_id, plan.version_id, late.partition, event.type,
        to_instant(late.start_us), to_instant(late.end_us), to_instant(late.watermark_us),
        UUID(bytes=event.uid), to_instant(event.time_us), to_instant(late.received_us),
        event.type, event.source, event.subject, event.key, event.value, event.data.decode() or None,
    )  # fmt: skip


def write_poison(cursor: type_Cursor, *, plan: Plan, segment: Segment, error: str, attempts: int) -> None:
    values = {
        "project": plan.project_id,
        "pipeline": plan.pipeline_id,
        "version": plan.version_id,
        "partition": segment.partition,
        "segment": segment.id,
        "flush": segment.flush_id,
        "ordinal": segment.ordinal,
        "received_at": segment.received_at,
        "events": segment.events,
        "payload": segment.payload,
        "error": error,
        "attempts": attempts,
    }
    cursor.execute(_WRITE_POISON, values)


def try_version(cursor: type_Cursor, *, partition: int, segment_id: int, version_id: int) -> int:
    """Note which version of a head segment is about to be folded. Returns which try this is, from 1."""
    values = {"partition": partition, "segment": segment_id, "version": version_id}
    row = cursor.execute(_TRY_VERSION, values).fetchone()
    assert row is not None
    return int(row[0])


def version_done(cursor: type_Cursor, *, partition: int, version_id: int) -> None:
    cursor.execute(_VERSION_DONE, {"partition": partition, "version": version_id})


def finish(cursor: type_Cursor, *, partitions: Collection[int]) -> None:
    """Zero the attempts of drained partitions."""
    cursor.execute(_FINISH, {"partitions": list(partitions)})


def empty_partitions(cursor: type_Cursor, *, partitions: Collection[int]) -> list[int]:
    cursor.execute(_EMPTY_PARTITIONS, {"partitions": list(partitions)})
    return [partition for (partition,) in cursor]


def advance_idle(cursor: type_Cursor, *, partitions: Collection[int]) -> None:
    """Move the watermarks of versions that are idle in `partitions`, which are held and empty."""
    cursor.execute(_ADVANCE_IDLE, {"partitions": list(partitions), "idle_after": IDLE_AFTER})
