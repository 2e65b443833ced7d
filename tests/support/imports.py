"""Files to import, and imports run to their end in this process."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from backports import zstd

from events.imports.files import receive
from events.imports.mapping import parse_mapping
from events.imports.models import ImportJob, ImportRejection
from events.imports.running import run_import
from events.imports.services import create_import
from tests.support.ingest import Tenant

NOW = datetime.now(UTC).replace(microsecond=0)


def event(number: int, **fields: object) -> dict[str, object]:
    time = (NOW - timedelta(seconds=number % 3_600)).isoformat()
    return {"type": "import.row", "time": time, "value": number, "data": {"n": number}, **fields}


def ndjson(events: Iterable[dict[str, object]]) -> bytes:
    return b"".join(msgspec.json.encode(each) + b"\n" for each in events)


def packed(content: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(content)
    return zstd.compress(content) if encoding == "zstd" else content


def queue(tenant: Tenant, content: bytes, *, name: str = "rows.ndjson", mapping: Any = None) -> ImportJob:
    """An import of `content` in the queue."""
    return create_import(
        received=receive([content]),
        project_id=tenant.id,
        created_by="test",
        name=name,
        mapping=parse_mapping(mapping) if mapping else None,
    )


def finish(job: ImportJob, *, turns: int = 50) -> ImportJob:
    """The import after as many turns as it takes."""
    for _ in range(turns):
        job.refresh_from_db()
        if job.finished:
            return job
        run_import(only=job.pk)
    raise AssertionError(f"not finished after {turns} turns: {job.state} at {job.position} of {job.total}")


def refusals(job: ImportJob) -> list[tuple[int, str]]:
    """(line, code) of each refused row."""
    rows = ImportRejection.objects.filter(job_id=job.pk).order_by("line")
    return list(rows.values_list("line", "code"))
