"""Partitions without events: their watermarks must not hold up the windows of the others."""

import time
from collections.abc import Collection
from typing import Final

from events.partitions import PARTITIONS
from processing import storage
from processing.connections import type_Cursor, worker_connection

_EVERY_SECONDS: Final = 1.0
_last: dict[int, float] = {}


def advance_drained(cursor: type_Cursor, *, partitions: Collection[int]) -> None:
    """At the end of a drain: a partition may be busy and yet hold nothing for a version.

    At most once a second per partition. `partitions` are held by this transaction, with nothing left in them.
    """
    now = time.monotonic()
    due = [one for one in partitions if now - _last.get(one, -_EVERY_SECONDS) >= _EVERY_SECONDS]
    if due:
        _last.update(dict.fromkeys(due, now))
        storage.advance_idle(cursor, partitions=due)


def forget_looks() -> None:
    """Look at every partition again, as a new process would."""
    _last.clear()


def advance_idle_partitions(*, using: str = "default") -> None:
    """Move the watermarks of empty partitions that nobody drains."""
    connection = worker_connection(using)
    with connection.transaction(), connection.cursor() as cursor:
        held = [one.partition for one in storage.hold(cursor, partitions=range(PARTITIONS))]
        # Looked at after the locks were granted: what a drain left is visible now.
        empty = storage.empty_partitions(cursor, partitions=held)
        storage.advance_idle(cursor, partitions=empty)
