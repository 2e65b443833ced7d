"""Reads of ingest: what the overview shows, and series over the rollup."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import starmap
from uuid import UUID

from events.queries import fetch, query
from telemetry.latency import BOUNDS_MS, percentile

TRAFFIC_WINDOW = timedelta(minutes=15)
LATENCY_WINDOW = timedelta(seconds=60)
NEWEST_EVENTS = 20
LATEST_REJECTIONS = 10
MINUTE = timedelta(minutes=1)

_TRAFFIC = query("overview_traffic")
_LATENCY = query("overview_latency")
_NEWEST = query("newest_events")
_SERIES = query("series")
_BY_TYPE, _BY_SECOND, _TOTAL = (
    2,
    1,
    3,
)  # GROUPING(second, type): the bit of a column is set when it is summed over


@dataclass(frozen=True, slots=True)
class Counts:
    """Events by verdict."""

    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class TypeCounts:
    type: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class Traffic:
    """A window [start, end) of complete seconds: `seconds` has one entry for each, quiet ones too. `types` (by
    accepted events, busiest first) and `total` also count the second that begins at `end` and is under way."""

    start: datetime
    end: datetime
    seconds: list[Counts]
    types: list[TypeCounts]
    total: Counts


@dataclass(frozen=True, slots=True)
class NewestEvent:
    uid: UUID
    id: str
    type: str
    source: str
    subject: str
    value: float | None
    time: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class AckLatency:
    """Milliseconds from a request's last byte to its answer, over all processes; None without requests."""

    p50: float | None
    p95: float | None
    p99: float | None
    requests: int


@dataclass(frozen=True, slots=True)
class LatestRejection:
    id: UUID
    received_at: datetime
    type: str
    code: str
    pointer: str
    message: str


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """`events` of one type and source in one bucket; `values` of them carried a value, which the rest describe.

    `sum` is infinite when a value passed 1e290, `sum_squares` when one passed 1e145.
    """

    bucket: datetime
    type: str
    source: str
    events: int
    values: int
    sum: float | None
    min: float | None
    max: float | None
    sum_squares: float | None


def select_traffic(*, project_id: int, window: timedelta = TRAFFIC_WINDOW, using: str = "default") -> Traffic:
    """What arrived lately, by complete second, by type and in total. One statement."""
    rows = fetch(using, _TRAFFIC, {"project_id": project_id, "window": window})
    end: datetime = rows[0][1]
    start = end - window
    total, types, by_second = Counts(), list[TypeCounts](), dict[datetime, Counts]()
    for grouped, _, second, event_type, *numbers in rows:
        counts = Counts(*numbers)
        if grouped == _TOTAL:
            total = counts
        elif grouped == _BY_SECOND and second is not None:
            by_second[second] = counts
        elif grouped == _BY_TYPE and event_type is not None:
            types.append(TypeCounts(event_type, counts))
    types.sort(key=lambda row: (-row.counts.accepted, row.type))
    quiet = Counts()
    every = (start + timedelta(seconds=place) for place in range(int(window.total_seconds())))
    return Traffic(start, end, [by_second.get(second, quiet) for second in every], types, total)


def select_newest_events(
    *, project_id: int, limit: int = NEWEST_EVENTS, using: str = "default"
) -> list[NewestEvent]:
    """The events that arrived last, newest first, of those that the tail sampled. Two statements."""
    tail = fetch(
        using,
        "SELECT time, uid FROM event_tail WHERE project_id = %(project_id)s"
        " ORDER BY received_at DESC, time DESC, uid DESC LIMIT %(limit)s",
        {"project_id": project_id, "limit": limit},
    )
    if not tail:
        return []
    times = [time for time, _ in tail]
    parameters = {
        "project_id": project_id,
        "times": times,
        "uids": [uid for _, uid in tail],
        "first": min(times),
        "last": max(times),
    }
    return list(starmap(NewestEvent, fetch(using, _NEWEST, parameters)))


def select_ack_latency(*, window: timedelta = LATENCY_WINDOW, using: str = "default") -> AckLatency:
    """Percentiles of the last minute over every process. One statement."""
    counts = [0] * (len(BOUNDS_MS) + 1)
    for place, count in fetch(using, _LATENCY, {"window": window}):
        counts[min(place, len(counts)) - 1] += count  # a process of another version may have more bounds
    return AckLatency(
        percentile(counts, 0.50), percentile(counts, 0.95), percentile(counts, 0.99), sum(counts)
    )


def select_latest_rejections(
    *, project_id: int, limit: int = LATEST_REJECTIONS, using: str = "default"
) -> list[LatestRejection]:
    """What was refused last, newest first. One statement."""
    rows = fetch(
        using,
        "SELECT id, received_at, type, code, pointer, message FROM rejected_event"
        " WHERE project_id = %(project_id)s ORDER BY received_at DESC LIMIT %(limit)s",
        {"project_id": project_id, "limit": limit},
    )
    return list(starmap(LatestRejection, rows))


def has_events(*, project_id: int, using: str = "default") -> bool:
    """Whether anything was ever accepted for the project."""
    statement = "SELECT EXISTS (SELECT FROM ingest_count WHERE project_id = %(project_id)s AND accepted > 0)"
    return bool(fetch(using, statement, {"project_id": project_id})[0][0])


def select_series(
    *,
    project_id: int,
    start: datetime,
    end: datetime,
    interval: timedelta = MINUTE,
    types: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    using: str = "default",
) -> list[SeriesPoint]:
    """Events of [start, end) by bucket, type and source; buckets without events are not there. One statement.

    `start` and `end` are whole minutes and `interval` a number of them. Buckets are aligned in UTC as
    TimescaleDB's time_bucket does. Raises ValueError when they are not.
    """
    if (
        any(moment.second or moment.microsecond for moment in (start, end))
        or interval % MINUTE
        or not interval
    ):
        raise ValueError("A series starts, ends and steps on whole minutes.")
    parameters = {
        "project_id": project_id,
        "start": start,
        "end": end,
        "interval": interval,
        "types": None if types is None else list(types),
        "sources": None if sources is None else list(sources),
    }
    return list(starmap(SeriesPoint, fetch(using, _SERIES, parameters)))
