"""Reads of processing: the newest windows of a project, and how far behind the log is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connections

from processing.models import Pipeline
from processing.queries import query

_LATEST: Final = query("latest_windows").decode()
_LAG: Final = query("lag").decode()


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """The last revision of a window's result; sum, min and max are None when no event had a value."""

    pipeline_id: int
    pipeline: str
    version_id: int
    group_key: str
    start: datetime
    end: datetime
    revision: int
    final: bool
    partial: bool
    count: int
    sum: float | None
    min: float | None
    max: float | None
    computed_at: datetime


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """What is not yet folded in one partition; `attempts` counts drains that failed in a row."""

    partition: int
    segments: int
    events: int
    seconds: float
    attempts: int


@dataclass(frozen=True, slots=True)
class Lag:
    """What is committed and not yet folded: `seconds` is the age of the oldest segment, 0 without any."""

    partitions: Sequence[PartitionLag]

    @property
    def segments(self) -> int:
        return sum(one.segments for one in self.partitions)

    @property
    def events(self) -> int:
        return sum(one.events for one in self.partitions)

    @property
    def seconds(self) -> float:
        return max((one.seconds for one in self.partitions), default=0.0)


def latest_windows(*, project_id: int, limit: int = 20, using: str = "default") -> list[ClosedWindow]:
    """The windows of a project that ended last and have a result, newest first; one revision each."""
    with connections[using].cursor() as cursor:
        cursor.execute(_LATEST, {"project": project_id, "limit": limit})
        rows = cursor.fetchall()
    pipelines = Pipeline.objects.filter(pk__in={row[0] for row in rows})
    names = dict(pipelines.values_list("pk", "name"))
    return [ClosedWindow(row[0], names.get(row[0], ""), *row[1:]) for row in rows]


def lag(*, using: str = "default") -> Lag:
    """How far behind the log is, partition by partition; partitions without segments are left out."""
    with connections[using].cursor() as cursor:
        cursor.execute(_LAG)
        return Lag([PartitionLag(*row) for row in cursor.fetchall()])
