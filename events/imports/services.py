"""What people and programs do with imports: create, start, cancel, delete; and what the sweeper tidies."""

import time
from datetime import timedelta
from pathlib import PurePath
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from events.errors import RequestRefused
from events.imports.expanding import read_head
from events.imports.files import Received, folder, remove_files, upload_path
from events.imports.mapping import InvalidMapping, Mapping, mapping_document
from events.imports.models import ImportJob, ImportRejection
from events.imports.sniffing import FORMATS, Encoding, FileFormat, detect_encoding, detect_format

SNIFFED: Final = 4096
# An upload that nobody starts is given up; a file that no row knows is what a dead process left.
FORGOTTEN: Final = timedelta(days=1)
ORPHANED: Final = timedelta(hours=6)
# As long as other refused events are kept: they carry raw bytes.
KEPT: Final = timedelta(days=30)


def create_import(
    *,
    received: Received,
    project_id: int,
    created_by: str,
    key_id: int | None = None,
    name: str = "",
    content_type: str = "",
    file_format: str = "",
    mapping: Mapping | None = None,
    start: bool = True,
    using: str = "default",
) -> ImportJob:
    """An import of a file that has arrived; queued when `start` and nothing is missing, else ready to start.

    Raises RequestRefused (400, 415, 422) for a file that cannot be imported, which is removed then.
    """
    try:
        kind, encoding = _recognise(received.id, name, content_type, file_format)
        if mapping is not None:
            _refuse_mapping_of(kind)
        ready = kind == "ndjson" or mapping is not None
        return ImportJob.objects.using(using).create(
            id=received.id,
            project_id=project_id,
            key_id=key_id,
            created_by=created_by[:200],
            name=_clean_name(name) or f"import.{kind}",
            format=kind,
            encoding=encoding,
            mapping=mapping_document(mapping) if mapping else None,
            size=received.size,
            sha256=received.sha256,
            state=ImportJob.State.QUEUED if start and ready else ImportJob.State.READY,
        )
    except BaseException:
        remove_files(received.id)
        raise


def _recognise(job_id: UUID, name: str, content_type: str, wanted: str) -> tuple[FileFormat, Encoding]:
    """By the file's own first bytes, whatever it is called."""
    path = upload_path(job_id)
    with path.open("rb") as file:
        encoding = detect_encoding(file.read(4))
    head = read_head(path, encoding, SNIFFED)
    kind = _wanted_format(wanted, head) or detect_format(name=name, content_type=content_type, head=head)
    if kind == "parquet" and encoding:
        raise RequestRefused(415, "unsupported_encoding", "Parquet compresses itself; send it as it is.")
    return kind, encoding


def _wanted_format(wanted: str, head: bytes) -> FileFormat | None:
    for known in FORMATS:
        if wanted == known and (known == "parquet") == head.startswith(b"PAR1"):
            return known
    if wanted:
        raise RequestRefused(
            415, "unknown_format", f"The file is not {wanted!r}; formats: {', '.join(FORMATS)}."
        )
    return None


def _refuse_mapping_of(kind: str) -> None:
    if kind == "ndjson":
        raise InvalidMapping("NDJSON lines are events already: leave the mapping out.")


def _clean_name(name: str) -> str:
    """The last part of a path, without what cannot be stored or shown."""
    plain = "".join(
        character for character in PurePath(name.replace("\\", "/")).name if character.isprintable()
    )
    return plain[:255]


def start_import(*, job: ImportJob, mapping: Mapping | None = None) -> ImportJob:
    """Queue an import that is ready. Raises RequestRefused (400 without a mapping it needs, 409 when it has begun)."""
    with transaction.atomic(using=job._state.db):
        locked = ImportJob.objects.using(job._state.db).select_for_update().get(pk=job.pk)
        if locked.state != ImportJob.State.READY:
            raise _conflict(locked, "start")
        if mapping is not None:
            _refuse_mapping_of(locked.format)
            locked.mapping = mapping_document(mapping)
        if locked.format != "ndjson" and not locked.mapping:
            raise InvalidMapping(
                "This file needs a mapping from its columns to event fields; see the preview."
            )
        locked.state = ImportJob.State.QUEUED
        locked.save(update_fields=["state", "mapping"])
    return locked


def cancel_import(*, job: ImportJob) -> ImportJob:
    """Stop an import for good; what it has stored stays. Raises RequestRefused (409) when it has ended."""
    with transaction.atomic(using=job._state.db):
        locked = ImportJob.objects.using(job._state.db).select_for_update().get(pk=job.pk)
        if locked.finished:
            raise _conflict(locked, "cancel")
        locked.state = ImportJob.State.CANCELLED
        locked.finished_at = timezone.now()
        locked.lease = locked.lease_until = None
        locked.save(update_fields=["state", "finished_at", "lease", "lease_until"])
    remove_files(locked.pk)
    return locked


def delete_import(*, job: ImportJob) -> None:
    """Forget an import that has ended, and the rows it refused; its events stay. Raises RequestRefused (409)."""
    if not job.finished:
        raise RequestRefused(409, "import_running", "The import has not ended: cancel it first.")
    _forget([job.pk], using=job._state.db or "default")


def tidy_imports(*, using: str = "default") -> None:
    """Give up uploads nobody started, forget old imports, and remove files that belong to none."""
    now = timezone.now()
    jobs = ImportJob.objects.using(using)
    jobs.filter(state=ImportJob.State.READY, created_at__lt=now - FORGOTTEN).update(
        state=ImportJob.State.CANCELLED, finished_at=now, error_code="not_started",
        error="Nobody started it within a day.",
    )  # fmt: skip
    _forget(list(jobs.filter(finished_at__lt=now - KEPT).values_list("pk", flat=True)[:100]), using=using)
    wanted = {str(pk) for pk in jobs.filter(state__in=ImportJob.UNFINISHED).values_list("pk", flat=True)}
    for path in folder().iterdir():
        with_job = path.name.partition(".")[0] in wanted
        if not with_job and time.time() - path.stat().st_mtime > ORPHANED.total_seconds():
            path.unlink(missing_ok=True)


def _forget(job_ids: list[UUID], *, using: str) -> None:
    ImportRejection.objects.using(using).filter(job_id__in=job_ids).delete()
    ImportJob.objects.using(using).filter(pk__in=job_ids).delete()
    for job_id in job_ids:
        remove_files(job_id)


def _conflict(job: ImportJob, verb: str) -> RequestRefused:
    return RequestRefused(409, "import_state", f"The import is {job.state}: there is nothing to {verb}.")
