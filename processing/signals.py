"""What processing says upward, after COMMIT. Hints only: ids and time ranges, never rows."""

from django.dispatch import Signal

# Keyword arguments: project_id: int, pipeline_ids: frozenset[int], start: datetime, end: datetime (of the
# windows that have a new result or revision). Sent from workers: receivers only mark and return.
windows_changed = Signal()
