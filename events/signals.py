"""What ingest says upward, after COMMIT. Hints only: ids, never rows."""

from django.dispatch import Signal

# Keyword arguments: project_ids: frozenset[int], partitions: frozenset[int] (those that got a segment),
# received_at: datetime (database clock). Sent from the writer's thread: receivers only mark and return.
events_stored = Signal()
