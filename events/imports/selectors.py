"""Reads of imports: for the API, the pages and the live topic alike."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from events.imports.models import ImportJob, ImportRejection

LISTED: Final = 50
PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: a share from 0 to 1, rows a second since it began, seconds to go; None if unknown."""

    share: float | None
    rate: float | None
    eta_seconds: float | None


def list_imports(*, project_id: int, limit: int = LISTED, using: str = "default") -> list[ImportJob]:
    """The newest first."""
    return list(ImportJob.objects.using(using).filter(project_id=project_id).order_by("-created_at")[:limit])


def find_import(*, project_id: int, job_id: UUID | str, using: str = "default") -> ImportJob | None:
    """An import, if it is the project's."""
    return ImportJob.objects.using(using).filter(project_id=project_id, pk=job_id).first()


def progress_of(job: ImportJob, *, now: datetime | None = None) -> Progress:
    """`now` is only for an import under way."""
    share = 1.0 if job.state == ImportJob.State.DONE else _share(job)
    if job.started_at is None:
        return Progress(share, None, None)
    until = job.finished_at or now or datetime.now(UTC)
    seconds = max((until - job.started_at).total_seconds(), 0.001)
    rate = job.rows / seconds
    eta = seconds / share * (1 - share) if share and not job.finished else None
    return Progress(share, rate, eta)


def _share(job: ImportJob) -> float | None:
    if job.total is None:
        return None
    return min(job.position / job.total, 1.0) if job.total else 1.0


def rejections_of(job: ImportJob) -> QuerySet[ImportRejection]:
    """The refused rows by line."""
    return ImportRejection.objects.using(job._state.db).filter(job_id=job.pk).order_by("line")


def each_rejection(job: ImportJob) -> Iterator[ImportRejection]:
    """All of them, a page at a time: there may be as many as the file has rows."""
    after = -1
    while page := list(rejections_of(job).filter(line__gt=after)[:PAGE]):
        yield from page
        after = page[-1].line
