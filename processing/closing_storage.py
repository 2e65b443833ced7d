"""Rows of closing: due partial windows, results and their revisions."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from events.partitions import PARTITIONS
from processing.aggregates import Aggregate, Partial, Result
from processing.connections import type_Connection, type_Cursor
from processing.definitions import definition_of
from processing.queries import query

_LOCK: Final = query("close_lock")
_WATERMARK: Final = query("close_watermark")
_THROUGH: Final = query("close_through")
_TAKE_GROWN: Final = query("take_grown")
_DUE_PARTIALS: Final = query("due_partials")
_LAST_REVISIONS: Final = query("last_revisions")
_WRITE_RESULTS: Final = query("write_results")
_TAKE_FINAL: Final = query("take_final")
_MARK_FINAL: Final = query("mark_final")
_DONE: Final = query("close_done")
_DUE_VERSIONS: Final = query("due_versions")

_unpack = msgspec.msgpack.Decoder(list[list[float | int]]).decode


class ClosingVersion(NamedTuple):
    """A version whose row this transaction has locked."""

    version_id: int
    project_id: int
    pipeline_id: int
    aggregates: tuple[Aggregate, ...]
    allowed_lateness: timedelta
    effective_from: datetime
    effective_until: datetime | None
    closed_through: datetime | None


class WindowKey(NamedTuple):
    """A window of one group."""

    group_key: str
    start: datetime
    end: datetime


class PartialRow(NamedTuple):
    """What one partition knows of a window."""

    key: WindowKey
    partial: Partial


class ResultRow(NamedTuple):
    """A merged window; `values` in the order of definitions.AGGREGATE_NAMES."""

    key: WindowKey
    revision: int
    values: list[Result]


def due_versions(connection: type_Connection) -> list[int]:
    """Versions with windows to close, revise or finish."""
    return [version for (version,) in connection.execute(_DUE_VERSIONS, {"partitions": PARTITIONS})]


def lock_version(cursor: type_Cursor, *, version_id: int) -> ClosingVersion | None:
    """None when another closer has it, or it is finished."""
    row = cursor.execute(_LOCK, {"version": version_id}).fetchone()
    if row is None:
        return None
    project_id, pipeline_id, stored, effective_from, effective_until, closed_through = row
    definition = definition_of(stored)
    return ClosingVersion(
        version_id, project_id, pipeline_id, definition.aggregates, definition.allowed_lateness,
        effective_from, effective_until, closed_through,
    )  # fmt: skip


def least_watermark(cursor: type_Cursor, *, version_id: int) -> datetime | None:
    row = cursor.execute(_WATERMARK, {"version": version_id, "partitions": PARTITIONS}).fetchone()
    assert row is not None
    watermark: datetime | None = row[0]
    return watermark


def close_through(
    cursor: type_Cursor, version: ClosingVersion, *, watermark: datetime, limit: int
) -> datetime | None:
    """A window end after which about `limit` partials are due; None when fewer are."""
    values = {
        "version": version.version_id,
        "closed": version.closed_through,
        "watermark": watermark,
        "limit": limit,
    }
    row = cursor.execute(_THROUGH, values).fetchone()
    return row[0] if row else None


def take_grown(cursor: type_Cursor, version: ClosingVersion, *, through: datetime) -> list[WindowKey]:
    cursor.execute(_TAKE_GROWN, {"version": version.version_id, "through": through})
    return [WindowKey(*row) for row in cursor]


def due_partials(
    cursor: type_Cursor, version: ClosingVersion, *, through: datetime, grown: Iterable[WindowKey]
) -> list[PartialRow]:
    """Partials of windows never closed that end by `through`, and of closed ones that grew."""
    values = {
        "version": version.version_id,
        "closed": version.closed_through,
        "through": through,
        **_arrays(grown),
    }
    cursor.execute(_DUE_PARTIALS, values, binary=True)
    return [
        PartialRow(WindowKey(group, start, end), _unpack(partial)) for group, start, end, partial in cursor
    ]


def last_revisions(
    cursor: type_Cursor, version: ClosingVersion, *, windows: Sequence[WindowKey]
) -> dict[WindowKey, tuple[int, int]]:
    """The last revision of each window that has one, and how many events it counted."""
    if not windows:
        return {}
    cursor.execute(_LAST_REVISIONS, {"version": version.version_id, **_range(windows), **_arrays(windows)})
    return {WindowKey(group, start, end): (revision, count) for group, start, end, revision, count in cursor}


def write_results(cursor: type_Cursor, version: ClosingVersion, rows: Sequence[ResultRow]) -> None:
    values = {
        "project": version.project_id,
        "pipeline": version.pipeline_id,
        "version": version.version_id,
        "effective_from": version.effective_from,
        "effective_until": version.effective_until,
        "revisions": [row.revision for row in rows],
        **_arrays(row.key for row in rows),
    }
    for place, name in enumerate(("counts", "sums", "mins", "maxes")):
        values[name] = [row.values[place] for row in rows]
    cursor.execute(_WRITE_RESULTS, values)


def take_final(cursor: type_Cursor, version: ClosingVersion, *, before: datetime) -> list[WindowKey]:
    """Delete the state of windows that end by `before`; returns them."""
    cursor.execute(_TAKE_FINAL, {"version": version.version_id, "final": before})
    return [WindowKey(*row) for row in cursor]


def mark_final(cursor: type_Cursor, version: ClosingVersion, *, windows: Sequence[WindowKey]) -> None:
    cursor.execute(_MARK_FINAL, {"version": version.version_id, **_range(windows), **_arrays(windows)})


def note_closed(cursor: type_Cursor, version: ClosingVersion, *, through: datetime | None) -> None:
    cursor.execute(_DONE, {"version": version.version_id, "through": through})


def _arrays(windows: Iterable[WindowKey]) -> dict[str, Any]:
    keys = list(windows)
    return {
        "groups": [key.group_key for key in keys],
        "starts": [key.start for key in keys],
        "ends": [key.end for key in keys],
    }


def _range(windows: Iterable[WindowKey]) -> dict[str, Any]:
    """Lets the planner leave out chunks of window_result that cannot match."""
    ends = [key.end for key in windows]
    return {"first_end": min(ends), "last_end": max(ends)}
