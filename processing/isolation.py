"""Find the one (pipeline version, segment) that cannot be folded, and set only that aside."""

import traceback

import msgspec
import psycopg
import structlog

from events.failpoints import failpoint
from events.segments import SegmentEvent, unpack
from processing import storage
from processing.catalog import router_at
from processing.connections import type_Connection, type_Cursor
from processing.folding import fold_segments, save
from processing.instants import to_us
from processing.pipeline import Plan, Router
from processing.storage import MAX_ATTEMPTS, Segment

DIED = "The worker died, or lost its database, each time while it folded this segment for this pipeline."

log = structlog.get_logger(__name__)


def fold_by_version(connection: type_Connection, *, partition: int, using: str) -> None:
    """Fold a partition's oldest segment one pipeline version at a time, each in a transaction of its own.

    What is about to be tried is committed first, so that a version that kills its worker is known by the one
    that comes after. The segment goes when every version has folded it or given it up.
    """
    while version_id := _choose(connection, partition, using):
        _try(connection, partition, version_id, using)


def _choose(connection: type_Connection, partition: int, using: str) -> int | None:
    """The next version to try; None when the segment is done with, or another worker has the partition."""
    with connection.transaction(), connection.cursor() as cursor:
        found = _locked_head(cursor, partition)
        if found is None:
            return None
        segment, routing, done = found
        router = router_at(cursor, using=using, routing_version=routing)
        for plan in _interested(router, segment):
            if plan.version_id in done:
                continue
            attempts = storage.try_version(
                cursor, partition=partition, segment_id=segment.id, version_id=plan.version_id
            )
            if attempts <= MAX_ATTEMPTS:
                return plan.version_id
            _set_aside(cursor, plan, segment, DIED, attempts - 1)
        storage.delete_segment(cursor, segment_id=segment.id)
        storage.finish(cursor, partitions=[partition])
        return None


def _try(connection: type_Connection, partition: int, version_id: int, using: str) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        found = _locked_head(cursor, partition)
        if found is None or version_id in found[2]:
            return  # another worker got there first
        segment, routing, _ = found
        router = router_at(cursor, using=using, routing_version=routing)
        try:
            with connection.transaction():
                save(cursor, fold_segments(cursor, [segment], router, only={version_id}), router)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise
        except Exception:  # noqa: BLE001 - the ledger says what went wrong; the version goes on without the segment
            _set_aside(cursor, router.plans[version_id], segment, traceback.format_exc(), 1)
            return
        storage.version_done(cursor, partition=partition, version_id=version_id)
        failpoint("drain_before_commit")


def _locked_head(cursor: type_Cursor, partition: int) -> tuple[Segment, int, list[int]] | None:
    held = storage.hold(cursor, partitions=[partition])
    head = storage.head_segment(cursor, partition=partition) if held else None
    if head is None:
        return None
    segment, routing = head
    return segment, routing, held[0].head_done if held[0].head_segment == segment.id else []


def _interested(router: Router, segment: Segment) -> list[Plan]:
    """The versions that a segment concerns; all of them when it cannot be read."""
    events = _readable(segment)
    received_us = to_us(segment.received_at)
    plans = router.plans.values() if events is None else router.of_projects({e.project_id for e in events})
    return [
        plan
        for plan in plans
        if plan.from_us < received_us and (plan.until_us is None or received_us <= plan.until_us)
    ]


def _readable(segment: Segment) -> list[SegmentEvent] | None:
    try:
        return unpack(segment.payload)
    except msgspec.MsgspecError:
        return None


def _set_aside(cursor: type_Cursor, plan: Plan, segment: Segment, error: str, attempts: int) -> None:
    storage.write_poison(cursor, plan=plan, segment=segment, error=error, attempts=attempts)
    storage.version_done(cursor, partition=segment.partition, version_id=plan.version_id)
    log.error("segment_set_aside", segment=segment.id, pipeline=plan.pipeline_id, version=plan.version_id)
