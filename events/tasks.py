"""Celery tasks of the events app: each calls one service. Their schedule is config/settings/schedule.py."""

from celery import shared_task

from events import maintenance, rollups, rotation
from events.quarantine import bulks, replaying


@shared_task(name="events.refresh_rollups")
def refresh_rollups() -> None:
    rollups.refresh_rollups()


@shared_task(name="events.prune_ingest_tables")
def prune_ingest_tables() -> None:
    maintenance.prune_ingest_tables()


@shared_task(name="events.rotate_identity")
def rotate_identity() -> None:
    rotation.rotate_identity()


@shared_task(name="events.work_on_quarantine")
def work_on_quarantine() -> None:
    replaying.resume_replays()
    bulks.run_unfinished(seconds=5.0)
