"""Celery tasks of the events app: each calls one service. Their schedule is config/settings/schedule.py."""

from celery import shared_task

from events import maintenance, rollups, rotation
from events.imports.pulling import pull_due
from events.imports.running import run_import
from events.imports.services import tidy_imports
from events.quarantine import bulks, replaying

# Unpacking a large file is one step: it renews its lease, and may take this long.
IMPORT_SECONDS = 1_800


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


@shared_task(name="events.run_imports", time_limit=IMPORT_SECONDS)
def run_imports() -> None:
    run_import()


@shared_task(name="events.pull_files", time_limit=IMPORT_SECONDS)
def pull_files() -> None:
    pull_due()


@shared_task(name="events.tidy_imports")
def tidy() -> None:
    tidy_imports()
