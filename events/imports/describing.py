"""An import as JSON: the same words in the API, on the live socket and in the command."""

from datetime import UTC, datetime
from typing import Any, TypedDict

from events.imports.mapping import mapping_document
from events.imports.models import ImportJob
from events.imports.previewing import Preview
from events.imports.selectors import progress_of


class ImportDocument(TypedDict):
    """`progress` from 0 to 1; `rate` in rows a second; times are RFC 3339 in UTC."""

    id: str
    name: str
    format: str
    encoding: str
    size: int
    sha256: str
    state: str
    created_by: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    progress: float | None
    rate: float | None
    eta_seconds: float | None
    rows: int
    accepted: int
    duplicates: int
    rejected: int
    error_code: str
    error: str


def describe_import(job: ImportJob) -> ImportDocument:
    progress = progress_of(job)
    return {
        "id": str(job.pk),
        "name": job.name,
        "format": job.format,
        "encoding": job.encoding,
        "size": job.size,
        "sha256": job.sha256,
        "state": str(job.state),
        "created_by": job.created_by,
        "created_at": _moment(job.created_at) or "",
        "started_at": _moment(job.started_at),
        "finished_at": _moment(job.finished_at),
        "progress": _rounded(progress.share, 4),
        "rate": _rounded(progress.rate, 1),
        "eta_seconds": _rounded(progress.eta_seconds, 1),
        "rows": job.rows,
        "accepted": job.accepted,
        "duplicates": job.duplicates,
        "rejected": job.rejected,
        "error_code": job.error_code,
        "error": job.error,
    }


def describe_preview(preview: Preview) -> dict[str, Any]:
    rows = [
        {
            "line": row.line,
            "raw": row.raw,
            "event": row.event,
            "code": row.error.code if row.error else None,
            "pointer": row.error.pointer if row.error else None,
            "message": row.error.message if row.error else None,
        }
        for row in preview.rows
    ]
    mapping = mapping_document(preview.mapping) if preview.mapping else None
    return {"columns": preview.columns, "mapping": mapping, "suggested": preview.suggested, "rows": rows}


def _moment(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat(timespec="milliseconds") if value else None


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
