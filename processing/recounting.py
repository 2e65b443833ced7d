"""Recount: windows compared with raw events by SQL alone. It shares nothing with the fold, so it can judge it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from events.connections import conninfo
from events.segments import unpack
from processing.errors import NotRecountable
from processing.instants import to_instant
from processing.models import Pipeline
from processing.queries import query

SUM_TOLERANCE: Final = 1e-9
# Of the magnitudes that were added: what compensated summation may be off by when they cancel out.
CANCELLATION_TOLERANCE: Final = 1e-13
_RECOUNT: Final = query("recount")
_VERSIONS: Final = query("recount_versions")
_GLOB: Final = str.maketrans({"*": "%", "?": "_", "_": r"\_", "%": r"\%", "\\": r"\\"})

type_Values = tuple[int, float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """A window whose stored result is not what its raw events say. None: no such result, or no such events."""

    version: int
    group_key: str
    start: datetime
    end: datetime
    stored: type_Values | None
    recounted: type_Values | None


@dataclass(slots=True)
class Recount:
    """What was compared: `windows` is how many results and groups of events there were."""

    windows: int = 0
    events: int = 0
    differences: list[Difference] = field(default_factory=list)


def recount(*, pipeline: Pipeline, start: datetime, end: datetime, using: str = "default") -> Recount:
    """Compare every closed window within [start, end) with the raw events it should have counted.

    One snapshot of the database decides, so events may go on arriving: what is not folded yet is left out on both
    sides, and so are windows that wait for their revision. Raises NotRecountable.
    """
    found = Recount()
    with psycopg.connect(conninfo(using)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        _check_retention(connection, pipeline, start)
        versions = connection.execute(_VERSIONS, {"pipeline": pipeline.pk}).fetchall()
        for version_id, number, patterns, size in versions:
            without = list(_uncounted(connection, pipeline.project_id, version_id))
            values = {
                "version": version_id,
                "size": timedelta(seconds=_seconds(size)),
                "patterns": [pattern.translate(_GLOB) for pattern in patterns],
                "from": start,
                "to": end,
                "uids": [uid for uid, _ in without],
                "times": [time for _, time in without],
            }
            for row in connection.execute(_RECOUNT, values):
                _compare(found, number, row)
    return found


def _check_retention(connection: psycopg.Connection[Any], pipeline: Pipeline, start: datetime) -> None:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    kept_since = row[0] - timedelta(days=pipeline.project.raw_retention_days)
    if start < kept_since:
        raise NotRecountable(
            f"Raw events are kept since {kept_since:%Y-%m-%d %H:%M} UTC only: start there or later."
        )


def _uncounted(
    connection: psycopg.Connection[Any], project_id: int, version_id: int
) -> Iterator[tuple[UUID, datetime]]:
    """Events that wait in the log, and those that were set aside for this version."""
    waiting = connection.execute("SELECT payload FROM event_segment").fetchall()
    aside = connection.execute(
        "SELECT payload FROM poison_segment WHERE version_id = %s", [version_id]
    ).fetchall()
    for (payload,) in [*waiting, *aside]:
        try:
            events = unpack(payload)
        except msgspec.MsgspecError as error:
            raise NotRecountable(
                "A segment cannot be read, so nobody knows which events it held: see poison_segment."
            ) from error
        for event in events:
            if event.project_id == project_id:
                yield UUID(bytes=event.uid), to_instant(event.time_us)


def _seconds(duration: str) -> int:
    """A definition's duration, read without the code that workers read it with."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[duration[-1]]


def _compare(found: Recount, number: int, row: Sequence[Any]) -> None:
    group_key, start, end, stored_count, *stored_rest, count, total, least, greatest, magnitude = row
    stored = None if stored_count is None else (stored_count, *stored_rest)
    recounted = None if count is None else (count, _as_float(total), least, greatest)
    found.windows += 1
    found.events += count or 0
    if not _same(stored, recounted, magnitude):
        found.differences.append(Difference(number, group_key, start, end, stored, recounted))


def _as_float(total: Decimal | None) -> float | None:
    """The nearest double; past the largest it is infinite, as the running sum is."""
    return None if total is None else float(total)


def _same(stored: type_Values | None, recounted: type_Values | None, magnitude: Decimal | None) -> bool:
    if stored is None or recounted is None:
        return False
    if (stored[0], stored[2], stored[3]) != (recounted[0], recounted[2], recounted[3]):
        return False
    left, right = stored[1], recounted[1]
    if left is None or right is None or left == right:
        return left == right
    allowed = SUM_TOLERANCE * abs(right) + CANCELLATION_TOLERANCE * float(magnitude or 0)
    return abs(left - right) <= allowed


def describe(differences: Iterable[Difference]) -> list[str]:
    """A line per difference, for people."""
    return [
        f"version {one.version}  {one.group_key}  [{one.start.isoformat()}, {one.end.isoformat()})  "
        f"stored {one.stored}  recounted {one.recounted}"
        for one in differences
    ]
