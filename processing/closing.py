"""Close windows: merge the partitions' partials into results, revise what grew, finish what is final."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.failpoints import failpoint
from processing import closing_storage as storage
from processing.aggregates import Aggregate, Partial, merge, results
from processing.closing_storage import ClosingVersion, PartialRow, ResultRow, WindowKey
from processing.connections import type_Cursor, worker_connection
from processing.signals import windows_changed

BATCH: Final = 20_000


@dataclass(frozen=True, slots=True)
class Closed:
    """What a call of `close_windows` wrote. `more` says that another call would find work."""

    results: int = 0
    start: datetime | None = None
    end: datetime | None = None
    more: bool = False


def close_windows(*, version_id: int, using: str = "default") -> Closed:
    """Close, revise and finish the windows that a version's watermark has passed; then tell who listens.

    Does nothing while another process closes the same version. A drain may commit at any moment of this:

    - It cannot add to a window closed here for the first time without this closer seeing it, or a mark in
      window_grown staying behind. The least watermark is at most the drain's own committed one; so either
      the window ends after that, and is not due here, or the drain marks it as grown for the next call.
    - It cannot add to a window finished here: see sql/take_final.sql.
    """
    with worker_connection(using).transaction() as _, worker_connection(using).cursor() as cursor:
        version = storage.lock_version(cursor, version_id=version_id)
        watermark = storage.least_watermark(cursor, version_id=version_id) if version else None
        if version is None:
            return Closed()
        rows: list[ResultRow] = []
        through = None
        if watermark is not None:
            through = storage.close_through(cursor, version, watermark=watermark, limit=BATCH) or watermark
            rows = _close(cursor, version, through)
            _finish(cursor, version, through)
        storage.note_closed(cursor, version, through=through)
        failpoint("close_before_commit")
    if not rows:
        return Closed(more=through != watermark)
    start, end = min(row.key.start for row in rows), max(row.key.end for row in rows)
    windows_changed.send_robust(
        sender=close_windows,
        project_id=version.project_id,
        pipeline_ids=frozenset({version.pipeline_id}),
        start=start,
        end=end,
    )
    return Closed(results=len(rows), start=start, end=end, more=through != watermark)


def _close(cursor: type_Cursor, version: ClosingVersion, through: datetime) -> list[ResultRow]:
    grown = storage.take_grown(cursor, version, through=through)
    merged = _merged(version.aggregates, storage.due_partials(cursor, version, through=through, grown=grown))
    before = storage.last_revisions(cursor, version, windows=[key for key in grown if key in merged])
    rows = [
        ResultRow(key, revision + 1, values)
        for key, values in merged.items()
        for revision, count in [before.get(key, (0, -1))]
        if values[0] != count
    ]
    if rows:
        storage.write_results(cursor, version, rows)
    return rows


def _merged(
    aggregates: Sequence[Aggregate], partials: Iterable[PartialRow]
) -> dict[WindowKey, list[float | int | None]]:
    by_window: dict[WindowKey, Partial] = {}
    for key, partial in partials:
        if key in by_window:
            merge(aggregates, by_window[key], partial)
        else:
            by_window[key] = partial
    return {key: results(aggregates, partial) for key, partial in by_window.items()}


def _finish(cursor: type_Cursor, version: ClosingVersion, through: datetime) -> None:
    final = storage.take_final(cursor, version, before=through - version.allowed_lateness)
    if final:
        storage.mark_final(cursor, version, windows=final)
