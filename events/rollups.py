"""The 1-minute rollup: bringing dirty buckets up to date, on either edition."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise, starmap
from typing import Any, NamedTuple
from uuid import uuid4

from django.db import DatabaseError, connections, transaction

from events.editions import rollup_kind
from events.queries import execute, fetch, query

MINUTE = timedelta(minutes=1)
# A minute that events still arrive in would be recomputed over and over; selectors read it raw meanwhile.
SETTLE = timedelta(seconds=15)
BATCH = 20  # a busy minute holds a million events, and a call should end near its deadline
ROLLUP_LOCK = 7238002

_DIRTY = query("rollup_dirty")
_FORGET = query("rollup_forget")
_CLEAR = query("rollup_clear")
_RECOMPUTE = query("rollup_recompute")
_MARK = query("rollup_mark")
_REFRESH = "CALL refresh_continuous_aggregate('rollup_1m', %(start)s::timestamptz, %(end)s::timestamptz)"


class Bucket(NamedTuple):
    project_id: int
    start: datetime


_BEGINNING = Bucket(0, datetime(1, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Refresh:
    """What one call did. `finished` is false when its limits stopped it; `busy`: another refresher holds the lock."""

    buckets: int = 0
    ledger_rows: int = 0
    finished: bool = True
    busy: bool = False


def refresh_rollups(
    *, max_buckets: int = 2_000, seconds: float = 10.0, settle: timedelta = SETTLE, using: str = "default"
) -> Refresh:
    """Bring settled dirty buckets up to date, at most `max_buckets` of them and for about `seconds`.

    Safe to call from anywhere at any time outside a transaction; a second caller returns `busy` at once.
    Raises django.db.DatabaseError after noting it for `manage.py rollups status`; what was not done stays dirty.
    """
    with _only_refresher(using) as alone:
        if not alone:
            return Refresh(finished=False, busy=True)
        try:
            return _refresh_in_turn(max_buckets, time.monotonic() + seconds, settle, using)
        except DatabaseError as error:
            _note_error(error, using)
            raise


def _refresh_in_turn(max_buckets: int, deadline: float, settle: timedelta, using: str) -> Refresh:
    """From where the last call stopped to the end, then from the beginning: no project waits behind a busy one."""
    refresh_batch = (
        _refresh_aggregate if rollup_kind(using=using) == "continuous aggregate" else _refresh_table
    )
    done = Refresh()
    for start in (_read_place(using), _BEGINNING):
        after = start
        while batch := select_dirty(after=after, limit=BATCH, settle=settle, using=using):
            after = batch[-1]
            # Before the work: should it fail, the next call tries the others first.
            _write_place(after, using)
            rows = refresh_batch(batch, using)
            done = replace(done, buckets=done.buckets + len(batch), ledger_rows=done.ledger_rows + rows)
            if done.buckets >= max_buckets or time.monotonic() >= deadline:
                return replace(done, finished=False)
    _write_place(_BEGINNING, using)
    return done


def select_dirty(
    *, after: Bucket = _BEGINNING, limit: int = BATCH, settle: timedelta = SETTLE, using: str = "default"
) -> list[Bucket]:
    """The next settled dirty buckets after a place, by project and time."""
    place = {"project_id": after.project_id, "bucket": after.start, "settle": settle, "limit": limit}
    return list(starmap(Bucket, fetch(using, _DIRTY, place)))


def _refresh_table(batch: Sequence[Bucket], using: str) -> int:
    """Apache: recompute in statements after the one that took the ledger rows.

    READ COMMITTED gives each statement its own snapshot. So what the deletion saw, the recount sees; a flush that
    commits between them leaves its ledger row behind, and the bucket stays dirty.
    """
    parameters: dict[str, Any] = {
        "projects": [bucket.project_id for bucket in batch],
        "buckets": [bucket.start for bucket in batch],
        "start": min(bucket.start for bucket in batch),
        "end": max(bucket.start for bucket in batch) + MINUTE,
    }
    with transaction.atomic(using=using, durable=True):
        rows = execute(using, _FORGET, parameters)
        execute(using, _CLEAR, parameters)
        execute(using, _RECOMPUTE, parameters)
    return rows


def _refresh_aggregate(batch: Sequence[Bucket], using: str) -> int:
    """Community: mark the ledger rows, refresh their ranges, remove what was marked.

    Three transactions, because a refresh refuses to run in one. Stopped between any two, the rows are still there
    and the buckets still dirty. A row that arrives after the mark is not removed, whatever the refresh saw of it.
    """
    refresh = uuid4()
    for start, end in coalesce([bucket.start for bucket in batch]):
        span = {"refresh": refresh, "start": start, "end": end}
        execute(using, _MARK, span)
        execute(using, _REFRESH, span)
    return execute(using, "DELETE FROM rollup_ledger WHERE refresh = %(refresh)s", {"refresh": refresh})


def coalesce(starts: Sequence[datetime]) -> list[tuple[datetime, datetime]]:
    """The ranges [start, end) that these minutes cover, neighbours joined."""
    ordered = sorted(set(starts))
    breaks = [place for place, (left, right) in enumerate(pairwise(ordered), 1) if right - left > MINUTE]
    edges = pairwise([0, *breaks, len(ordered)]) if ordered else []
    return [(ordered[first], ordered[stop - 1] + MINUTE) for first, stop in edges]


@contextmanager
def _only_refresher(using: str) -> Iterator[bool]:
    """A lock of the session, not of a transaction: a refresh on Community is several of those."""
    lock = {"lock": ROLLUP_LOCK}
    ((alone,),) = fetch(using, "SELECT pg_try_advisory_lock(%(lock)s)", lock)
    try:
        yield alone
    finally:
        if alone and connections[using].is_usable():
            fetch(using, "SELECT pg_advisory_unlock(%(lock)s)", lock)


def _read_place(using: str) -> Bucket:
    return Bucket(*fetch(using, "SELECT after_project_id, after_bucket FROM rollup_progress")[0])


def _write_place(place: Bucket, using: str) -> None:
    execute(
        using,
        "UPDATE rollup_progress SET after_project_id = %(project_id)s, after_bucket = %(start)s,"
        " refreshed_at = clock_timestamp()",
        place._asdict(),
    )


def _note_error(error: DatabaseError, using: str) -> None:
    if connections[using].is_usable():
        statement = "UPDATE rollup_progress SET last_error = %(error)s, last_error_at = clock_timestamp()"
        execute(using, statement, {"error": str(error)[:2000]})
