"""The rows of an import under way: leases, and progress that commits with the events."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
import uuid_utils.compat
from django.conf import settings
from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from events.imports.errors import LeaseLost
from events.imports.models import ImportJob
from events.imports.reading import RAW_KEPT, Batch, Refusal
from events.queries import fetch, query
from events.submissions import Verdicts

# A batch takes a fraction of it. A worker that is slower all the same loses its turn, and stores nothing twice.
LEASE: Final = timedelta(seconds=10)

_CLAIM: Final = query("claim_import")
_ADVANCE: Final = query("advance_import")
_REJECT: Final = query("insert_import_rejections")
Cursor = psycopg.Cursor[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on an import, for LEASE after each sign of life. Every write through it checks it."""

    job_id: UUID
    id: UUID
    using: str

    def renew(self) -> None:
        """Raises LeaseLost."""
        self._write(lease_until=Now() + LEASE)

    def set_total(self, total: int) -> None:
        """Raises LeaseLost."""
        self._write(total=total)

    def end(self, state: ImportJob.State, *, code: str = "", error: str = "") -> None:
        """Raises LeaseLost."""
        self._write(
            state=state, error_code=code, error=error, finished_at=Now(), lease=None, lease_until=None
        )

    def release(self) -> None:
        """Let another worker go on at once; nothing happens when the lease is gone."""
        self._held().update(lease=None, lease_until=None, attempts=0)

    def advance(self, cursor: Cursor, batch: Batch, verdicts: Verdicts) -> None:
        """In the flush's transaction. Raises LeaseLost, which undoes the flush."""
        refusals = [*batch.refusals, *_refused(batch, verdicts)]
        cursor.execute(_ADVANCE, self._progress(batch, verdicts, len(refusals)), prepare=True)
        if cursor.rowcount != 1:
            raise LeaseLost
        if refusals:
            cursor.execute(_REJECT, {"id": self.job_id, **_columns(refusals)})

    def advance_alone(self, batch: Batch) -> None:
        """Past rows none of which became an event. Raises LeaseLost."""
        connection = connections[self.using]
        connection.ensure_connection()
        with connection.connection.transaction(), connection.connection.cursor() as cursor:
            self.advance(cursor, batch, Verdicts(0, 0, [], []))

    def _progress(self, batch: Batch, verdicts: Verdicts, rejected: int) -> dict[str, Any]:
        return {
            "id": self.job_id, "lease": self.id, "lease_for": LEASE, "start": batch.start.position,
            "end": batch.end.position, "line": batch.end.line, "accepted": verdicts.accepted,
            "duplicates": verdicts.duplicates, "rejected": rejected,
        }  # fmt: skip

    def _held(self) -> QuerySet[ImportJob]:
        jobs = ImportJob.objects.using(self.using)
        return jobs.filter(pk=self.job_id, lease=self.id, state=ImportJob.State.RUNNING)

    def _write(self, **values: Any) -> None:
        if self._held().update(**values) != 1:
            raise LeaseLost


def _refused(batch: Batch, verdicts: Verdicts) -> list[Refusal]:
    """What the decoder or the database refused, by line, with the row as the file has it."""
    found = []
    for rejection in verdicts.rejections:
        line, raw = batch.origin(rejection.position)
        found.append(Refusal(line, rejection.error, rejection.raw if raw is None else raw))
    return found


def _columns(refusals: list[Refusal]) -> dict[str, list[Any]]:
    return {
        "lines": [refusal.line for refusal in refusals],
        "codes": [refusal.error.code for refusal in refusals],
        "pointers": [refusal.error.pointer for refusal in refusals],
        "messages": [refusal.error.message for refusal in refusals],
        "raws": [refusal.raw[:RAW_KEPT] for refusal in refusals],
    }


def claim(*, only: UUID | None = None, using: str = "default") -> Lease | None:
    """The right to work on an import that nobody works on; None when there is none, or enough are under way."""
    lease = uuid_utils.compat.uuid7()
    parameters = {"lease": lease, "lease_for": LEASE, "only": only, "at_once": settings.IMPORT_AT_ONCE}
    rows = fetch(using, _CLAIM, parameters)
    return Lease(rows[0][0], lease, using) if rows else None
