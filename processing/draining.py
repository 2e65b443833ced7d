"""Drain the log: segments out, partial windows in, one transaction. Exactly once, whatever dies when."""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg
import structlog

from events.failpoints import failpoint
from events.partitions import PARTITIONS
from processing import idleness, isolation, storage
from processing.catalog import router_at
from processing.connections import type_Connection, worker_connection
from processing.folding import fold_segments, save
from processing.storage import STAGE_MANY, STAGE_VERSION, Attempt, Segment

# All partitions at once while little waits: one commit for what a hint told of. Fewer once one of them has more
# than a transaction takes, so that other workers get their share, and a transaction folds at most 4 MiB or so.
PARTITIONS_AT_ONCE: Final = PARTITIONS
PARTITIONS_BEHIND: Final = 16
SEGMENTS_EACH: Final = 128
BYTES_EACH: Final = 256 * 1024
TRANSACTION_SECONDS: Final = 4.0
# A partition that another worker holds is looked at again: that one's last look may have come too early.
LOOKS: Final = 4
PAUSE_SECONDS: Final = 0.015

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Drained:
    """What a call of `drain_partitions` did."""

    events: int = 0
    segments: int = 0
    failures: list[Exception] = field(default_factory=list)


def drain_partitions(*, partitions: Collection[int], using: str = "default", seconds: float = 4.0) -> Drained:
    """Fold what waits in `partitions` until nothing does, or `seconds` are over.

    Any number of workers may do so at once: each partition is drained by one at a time, and left to the one
    that has it. A segment that cannot be folded is tried again with fewer and fewer things beside it, and at
    last set aside for the pipeline version that fails on it. Such failures are returned; others go on.
    Raises psycopg.Error when the database, or this worker's hold on it, is lost: the segments are still there.
    """
    drained = Drained()
    deadline = time.monotonic() + seconds
    limit, looks = PARTITIONS_AT_ONCE, LOOKS
    while looks and time.monotonic() < deadline:
        connection = worker_connection(using)
        attempts = storage.begin_attempt(
            connection, partitions=partitions, limit=limit, segments_each=SEGMENTS_EACH, worker=_worker_name()
        )
        if attempts:
            looks = LOOKS
            more = _drain_attempts(connection, attempts, using, drained)
            limit = PARTITIONS_BEHIND if more else PARTITIONS_AT_ONCE
        elif storage.waiting(connection, partitions=partitions):
            looks -= 1
            time.sleep(PAUSE_SECONDS)
        else:
            break
    return drained


def _worker_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"


def _drain_attempts(
    connection: type_Connection, attempts: Collection[Attempt], using: str, drained: Drained
) -> bool:
    """Together what did not fail; what did, by itself, so that it fails nobody else.

    Returns whether a partition had more than a transaction takes.
    """
    together = [one.partition for one in attempts if one.tries == 1 and one.stage == STAGE_MANY]
    more = bool(together) and _drain(connection, together, SEGMENTS_EACH, using, drained)
    for one in attempts:
        if one.stage == STAGE_VERSION:
            isolation.fold_by_version(connection, partition=one.partition, using=using)
        elif one.partition not in together:
            count = SEGMENTS_EACH if one.stage == STAGE_MANY else 1
            more |= _drain(connection, [one.partition], count, using, drained)
    return more


def _drain(
    connection: type_Connection, partitions: list[int], count: int, using: str, drained: Drained
) -> bool:
    try:
        segments = _fold_transaction(connection, partitions, count, using)
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise
    except Exception as error:
        # Whatever an event does to the fold, other partitions go on; but without a connection none can.
        if connection.closed:
            raise
        log.warning("drain_failed", partitions=partitions, segments_each=count, exc_info=error)
        drained.failures.append(error)
        return False
    drained.segments += len(segments)
    drained.events += sum(segment.events for segment in segments)
    return bool(_with_more(segments, count))


def _fold_transaction(
    connection: type_Connection, partitions: list[int], count: int, using: str
) -> list[Segment]:
    """Lock, delete, fold and commit. Returns the segments folded."""
    # One segment gets all the time that it needs: it must come to an end, or fail.
    deadline = time.monotonic() + TRANSACTION_SECONDS if count > 1 else None
    # Not in a pipeline: between its statements a session counts as active, and a frozen worker would never lose
    # its locks to idle_in_transaction_session_timeout.
    with connection.transaction(), connection.cursor() as cursor:
        # A head that some versions have folded is for those that fold by version, whatever this drain set out to do.
        held = [one.partition for one in storage.hold(cursor, partitions=partitions) if not one.head_done]
        if not held:
            return []
        segments, routing = storage.take_segments(cursor, partitions=held, count=count, bytes_each=BYTES_EACH)
        if segments:
            router = router_at(cursor, using=using, routing_version=routing)
            save(cursor, fold_segments(cursor, segments, router, deadline=deadline), router)
        idleness.advance_drained(cursor, partitions=set(held) - _with_more(segments, count))
        storage.finish(cursor, partitions=held)
        failpoint("drain_before_commit")
    return segments


def _with_more(segments: Sequence[Segment], count: int) -> set[int]:
    """The partitions of which not every visible segment may have been taken."""
    counts, sizes = Counter[int](), Counter[int]()
    for segment in segments:
        counts[segment.partition] += 1
        sizes[segment.partition] += len(segment.payload)
    return {one for one in counts if counts[one] >= count or sizes[one] >= BYTES_EACH}
