"""A worker's turn at an import: claim it, go on where its row says, give it back."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import Error as DatabaseError

from events.errors import OutcomeUnknown, Overloaded, RequestRefused
from events.failpoints import failpoint
from events.imports.errors import ImportFailed, LeaseLost
from events.imports.expanding import expand
from events.imports.files import DiskGuard, plain_path, remove_files, upload_path
from events.imports.models import ImportJob
from events.imports.sending import Sender
from events.imports.sources import batches_of, measure
from events.imports.storage import Lease, claim

# A turn is short, so that imports take turns and a worker that is told to stop need not be killed.
TURN_SECONDS: Final = 10.0
# Claims in a row that ended with the worker's death: the file is what kills it.
MOST_DEATHS: Final = 5
RENEW_SECONDS: Final = 2.0
# As in the gateway: at Python's 5 ms the database idles while a batch is decoded.
SWITCH_SECONDS: Final = 0.0005

log = structlog.get_logger(__name__)


def run_import(
    *, seconds: float = TURN_SECONDS, only: UUID | None = None, using: str = "default"
) -> UUID | None:
    """Work on one import for about `seconds`; its id, or None when there is nothing to do.

    Never raises for what time may mend: the next turn goes on from the last batch that was committed.
    """
    lease = claim(only=only, using=using)
    if lease is None:
        return None
    try:
        _take_turn(lease, time.monotonic() + seconds)
    except LeaseLost:
        log.info("import_lost", job=str(lease.job_id))
    except (OutcomeUnknown, Overloaded, DatabaseError) as error:
        log.warning("import_interrupted", job=str(lease.job_id), error=str(error))
        with suppress(DatabaseError):
            lease.release()
    return lease.job_id


def _take_turn(lease: Lease, deadline: float) -> None:
    job = ImportJob.objects.using(lease.using).get(pk=lease.job_id)
    try:
        if job.attempts > MOST_DEATHS:
            raise ImportFailed(
                "keeps_failing", f"Workers died on this file {MOST_DEATHS} times, after line {job.line}."
            )
        _prepare(job, lease)
        finished = _read(job, lease, deadline)
    except RequestRefused as error:
        lease.end(ImportJob.State.FAILED, code=error.code, error=str(error))
        remove_files(job.id)
        log.warning("import_failed", job=str(job.id), code=error.code)
        return
    if finished:
        lease.end(ImportJob.State.DONE)
        remove_files(job.id)
    else:
        lease.release()


def _prepare(job: ImportJob, lease: Lease) -> None:
    """Unpack what is compressed, and find out where the end is."""
    if job.encoding and not plain_path(job.id).exists():
        _unpack(job, lease)
    if job.total is None:
        lease.set_total(measure(job))


def _unpack(job: ImportJob, lease: Lease) -> None:
    disk = DiskGuard(most_bytes=settings.IMPORT_MAX_PLAIN_BYTES)
    renewed = time.monotonic()

    def alive(size: int) -> None:
        nonlocal renewed
        disk.add(size - disk.size)
        if time.monotonic() - renewed >= RENEW_SECONDS:
            renewed = time.monotonic()
            lease.renew()

    expand(
        upload_path(job.id),
        plain_path(job.id),
        job.encoding,
        most_bytes=settings.IMPORT_MAX_PLAIN_BYTES,
        most_ratio=settings.IMPORT_MAX_RATIO,
        on_piece=alive,
    )


def _read(job: ImportJob, lease: Lease, deadline: float) -> bool:
    """Whether the end of the file was reached before the deadline."""
    sender = Sender(job, lease)
    with _quick_switches(), batches_of(job) as batches:
        try:
            for batch in batches:
                sender.send(batch)
                failpoint("import.batch_sent")
                if time.monotonic() >= deadline:
                    sender.settle()
                    return False
        except ImportFailed:
            sender.settle()  # what was read before the file broke is stored
            raise
        sender.settle()
    return True


@contextmanager
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
