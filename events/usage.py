"""Events stored by key and day (UTC): counted with the flush that stores them, and read."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from events.flushes import Flush, Outcome
from events.queries import fetch, query

NO_KEY: Final = 0
_TODAY: Final = query("usage_today")


@dataclass(frozen=True, slots=True)
class Usage:
    """Today's events by project and key, and how long today still is by the database's clock."""

    by_key: dict[int, dict[int, int]]
    seconds_left: float


def count_by_key(flush: Flush, outcome: Outcome) -> dict[str, list[Any]]:
    """Columns for ingest_usage: events stored by (project, key)."""
    stored: Counter[tuple[int, int]] = Counter()
    untouched = not outcome.duplicates and not outcome.refused
    for submission, start in zip(flush.submissions, flush.starts, strict=True):
        places = range(start, start + len(submission.prepared))
        kept = len(places) if untouched else sum(map(outcome.keeps, places))
        if kept:
            stored[submission.project_id, submission.key_id or NO_KEY] += kept
    names = sorted(stored)
    return {
        "usage_projects": [project_id for project_id, _ in names],
        "usage_keys": [key_id for _, key_id in names],
        "usage_events": [stored[name] for name in names],
    }


def select_usage(*, project_ids: Iterable[int], using: str = "default") -> Usage:
    """What these projects stored today. Raises django.db.Error."""
    rows = fetch(using, _TODAY, {"projects": sorted(project_ids)})
    by_key: dict[int, dict[int, int]] = {}
    for project_id, key_id, events, _ in rows:
        if project_id is not None:
            by_key.setdefault(project_id, {})[key_id] = events
    return Usage(by_key, rows[0][3])
