"""Refused events, and what became of them, as JSON documents. Plain data."""

import base64
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec
from channels.db import database_sync_to_async
from django.http import StreamingHttpResponse

from events.errors import InvalidEvent
from events.quarantine.bulks import Progress
from events.quarantine.rows import Detailed, Group, Listed, Refused, Replayed, Sound

CHUNK_BYTES: Final = 64 * 1024


def ndjson(rows: Iterator[Detailed]) -> StreamingHttpResponse:
    """A download of refused events, a line each, written while they are read."""
    response = StreamingHttpResponse(_chunks(rows), content_type="application/x-ndjson")
    response["Content-Disposition"] = 'attachment; filename="rejected.ndjson"'
    return response


async def _chunks(rows: Iterator[Detailed]) -> AsyncIterator[bytes]:
    """Asynchronous, because under ASGI Django would gather all that a plain iterator gives before it sends any."""
    while chunk := await database_sync_to_async(_take)(rows):
        yield chunk


def _take(rows: Iterator[Detailed]) -> bytes:
    lines: list[bytes] = []
    size = 0
    for row in rows:
        lines.append(msgspec.json.encode(detailed_document(row)) + b"\n")
        size += len(lines[-1])
        if size >= CHUNK_BYTES:
            break
    return b"".join(lines)


def listed_document(row: Listed) -> dict[str, Any]:
    names = (
        "id",
        "type",
        "code",
        "pointer",
        "message",
        "state",
        "attempts",
        "request_id",
        "key_id",
        "position",
    )
    return {
        **{name: getattr(row, name) for name in names},
        "id": str(row.id),
        "received_at": row.received_at.isoformat(),
        "uid": str(row.uid) if row.state == "replayed" else None,
        "changed_at": row.changed_at and row.changed_at.isoformat(),
    }


def detailed_document(row: Detailed) -> dict[str, Any]:
    corrected = None if row.corrected is None else _text(row.corrected)
    return {**listed_document(row), "raw": _text(row.raw), "corrected": corrected}


def progress_document(progress: Progress) -> dict[str, Any]:
    return {
        "bulk": str(progress.id),
        "action": progress.action,
        "state": "finished" if progress.finished_at else "running",
        "total": progress.total,
        "treated": progress.treated,
        "waiting": progress.waiting,
        "replayed": progress.replayed,
        "discarded": progress.discarded,
        "created_by": progress.created_by,
        "created_at": progress.created_at.isoformat(),
        "finished_at": progress.finished_at and progress.finished_at.isoformat(),
    }


def _text(raw: bytes) -> dict[str, str]:
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def group_document(group: Group) -> dict[str, Any]:
    newest = group.newest.isoformat()
    return {"type": group.type, "code": group.code, "count": group.count, "newest": newest}


def verdict_document(verdict: Sound | Refused) -> dict[str, Any]:
    if isinstance(verdict, Refused):
        return {"valid": False, "error": _error(verdict.error), "uid": None}
    return {"valid": True, "error": None, "uid": str(verdict.uid)}


def replayed_document(result: Replayed) -> dict[str, Any]:
    return {
        "id": str(result.id),
        "result": result.result,
        "uid": result.uid and str(result.uid),
        "error": result.error and _error(result.error),
    }


def _error(error: InvalidEvent) -> dict[str, str]:
    return {"code": error.code, "pointer": error.pointer, "message": error.message}
