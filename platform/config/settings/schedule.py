"""What Celery beat starts, and how often. Each task may be lost or run twice; one that waited too long expires."""

from typing import Any


def every(seconds: float, task: str) -> dict[str, Any]:
    """An entry whose message expires when the next is due, so that a stopped worker comes back to no pile of them."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


CELERY_BEAT_SCHEDULER = "config.beat:LockedScheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep-log": every(1, "processing.sweep"),
    "refresh-rollups": every(5, "events.refresh_rollups"),
    "prune-ingest-tables": every(60, "events.prune_ingest_tables"),
    "work-on-quarantine": every(5, "events.work_on_quarantine"),
    "run-imports": every(1, "events.run_imports"),
    "pull-files": every(10, "events.pull_files"),
    "tidy-imports": every(300, "events.tidy_imports"),
    "rotate-identity": every(300, "events.rotate_identity"),
}
