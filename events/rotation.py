"""Rotating identity: ids are remembered for a horizon, a table a generation, the current one and the one before."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import stamina
from django.db import OperationalError, connections, transaction
from django.db.backends.utils import CursorWrapper

from events.epoch import epoch_exclusive
from events.queries import fetch

# An id is found again until the generation after its own ends: for at least one horizon, for less than two.
HORIZON: Final = timedelta(hours=24)
ROTATION_LOCK: Final = 7238003
ATTEMPTS: Final = 5
_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The current generation, whether this call began it, and which older ones it dropped."""

    generation: int
    rotated: bool
    dropped: list[int]


def rotate_identity(*, force: bool = False, horizon: timedelta = HORIZON, using: str = "default") -> Rotation:
    """Begin a new generation when the current one is `horizon` old (or `force`), and drop what nobody probes.

    Ingest waits only while the number changes: the table is made before, and the old one dropped after, so that
    a long reader of it (a dump) delays the drop to the next call and not the rotation. Safe to repeat, and to run
    twice at once. Raises django.db.OperationalError when locks were not granted in ATTEMPTS tries.
    """
    current = _due_generation(force, horizon, using)
    rotated = current is not None and _begin_generation(current + 1, using)
    generation, old = _generations(using)
    for stale in old:
        _drop_generation(stale, using)
    return Rotation(generation, rotated, old)


def _lock_timed_out(error: Exception) -> bool:
    return (
        isinstance(error, OperationalError)
        and getattr(error.__cause__, "sqlstate", None) == _LOCK_NOT_AVAILABLE
    )


def _due_generation(force: bool, horizon: timedelta, using: str) -> int | None:
    """The current generation if it is time to end it."""
    rows = fetch(
        using,
        "SELECT identity_generation FROM ingest_epoch"
        " WHERE %(force)s OR rotated_at <= clock_timestamp() - %(horizon)s",
        {"force": force, "horizon": horizon},
    )
    return rows[0][0] if rows else None


@stamina.retry(on=_lock_timed_out, attempts=ATTEMPTS, timeout=None)
def _begin_generation(generation: int, using: str) -> bool:
    """False when another process got there first."""
    with transaction.atomic(using=using, durable=True), connections[using].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROTATION_LOCK])
        _attach_partition(cursor, generation)
    with epoch_exclusive(using=using) as (cursor, instant):
        cursor.execute(
            "UPDATE ingest_epoch SET identity_generation = %s, rotated_at = %s WHERE identity_generation = %s",
            [generation, instant, generation - 1],
        )
        return bool(cursor.rowcount)


def _attach_partition(cursor: CursorWrapper, generation: int) -> None:
    """A table made apart and attached: making it as a partition would lock out every flush."""
    table = partition_name(generation)
    cursor.execute("SELECT to_regclass(%s)", [table])
    if cursor.fetchone() != (None,):
        return
    cursor.execute(f"CREATE TABLE {table} (LIKE event_identity INCLUDING ALL)")
    cursor.execute(f"ALTER TABLE event_identity ATTACH PARTITION {table} FOR VALUES IN ({generation})")


@stamina.retry(on=_lock_timed_out, attempts=ATTEMPTS, timeout=None)
def _drop_generation(generation: int, using: str) -> None:
    """Under EPOCH, because a drop locks the parent table, and a flush that holds it would make others wait."""
    with epoch_exclusive(using=using) as (cursor, _):
        cursor.execute(f"DROP TABLE IF EXISTS {partition_name(generation)}")


def _generations(using: str) -> tuple[int, list[int]]:
    """(current, those older than the one before it)."""
    ((current,),) = fetch(using, "SELECT identity_generation FROM ingest_epoch")
    partitions = fetch(
        using,
        "SELECT substring(inhrelid::regclass::text FROM '[0-9]+$')::integer AS generation FROM pg_inherits"
        " WHERE inhparent = 'event_identity'::regclass ORDER BY generation",
    )
    return current, [generation for (generation,) in partitions if generation < current - 1]


def partition_name(generation: int) -> str:
    return f"event_identity_g{int(generation)}"
