"""What workers are told to do. Every task is a hint: rows say what there is to do, and doing it twice is harmless."""

from collections.abc import Collection

from celery import shared_task

from processing import sweeping
from processing.draining import drain_partitions

# A worker that hangs on an event is killed; the attempt it noted leads to the segment.
TIME_LIMIT = 20


@shared_task(name="processing.drain", expires=10, time_limit=TIME_LIMIT)
def drain(partitions: Collection[int], using: str = "default") -> None:
    """Fold what waits in these partitions."""
    sweeping.note_work()
    drain_partitions(partitions=partitions, using=using)


@shared_task(name="processing.sweep", expires=2, time_limit=TIME_LIMIT)
def sweep(using: str = "default") -> None:
    """Find by rows alone what no hint told of: old segments, idle partitions, windows to close."""
    sweeping.note_work()
    sweeping.sweep(using=using)
