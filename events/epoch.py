"""EPOCH: the lock that puts every event plainly before or after a deploy, a rotation or a move."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

EPOCH = 7238001  # also in migrations/sql/0002_ingest.up.sql, where each flush takes it shared


@contextmanager
def epoch_exclusive(*, using: str = "default") -> Iterator[tuple[CursorWrapper, datetime]]:
    """A transaction during which no flush is open on `using`.

    Yields (cursor, instant): the database clock, after the last flush before and ahead of the next one.
    Raises django.db.OperationalError (55P03) when flushes do not let go within `lock_timeout`: safe to retry.
    """
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [EPOCH])
        cursor.execute("SELECT clock_timestamp()")
        (instant,) = cursor.fetchone()
        yield cursor, instant
        cursor.execute("UPDATE ingest_epoch SET changed_at = %s", [instant])


def replace_routes(cursor: CursorWrapper, *, project_id: int, patterns: list[str]) -> None:
    """Make `patterns` (type globs) what the log keeps for a project. Only inside `epoch_exclusive`."""
    cursor.execute("DELETE FROM event_route WHERE project_id = %s", [project_id])
    cursor.execute(
        "INSERT INTO event_route (project_id, pattern) SELECT %s, unnest(%s::text[])",
        [project_id, sorted(set(patterns))],
    )
    cursor.execute("UPDATE ingest_epoch SET routing_version = routing_version + 1")
