"""How the rollup is doing, for `manage.py rollups status` and the health page."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from events.editions import EditionName, RollupKind, detect_edition, rollup_kind
from events.queries import fetch, query
from events.rollups import SETTLE

_STATUS = query("rollup_status")


@dataclass(frozen=True, slots=True)
class RollupStatus:
    """`rows` is the planner's estimate. `lag_seconds`: how long the oldest due minute has waited; 0.0 without any."""

    edition: EditionName
    timescaledb: str
    kind: RollupKind
    dirty_buckets: int
    due_buckets: int
    lag_seconds: float
    rows: int
    bytes: int
    refreshed_at: datetime | None
    last_error: str | None
    last_error_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        for name in ("refreshed_at", "last_error_at"):
            found[name] = found[name] and found[name].isoformat()
        return found


def read_rollup_status(*, settle: timedelta = SETTLE, using: str = "default") -> RollupStatus:
    edition = detect_edition(using=using)
    (found,) = fetch(using, _STATUS, {"settle": settle})
    dirty, due, lag, rows, size, refreshed_at, error, error_at = found
    return RollupStatus(
        edition=edition.name,
        timescaledb=edition.timescaledb,
        kind=rollup_kind(using=using),
        dirty_buckets=dirty,
        due_buckets=due,
        lag_seconds=float(lag or 0.0),
        rows=int(rows),
        bytes=int(size or 0),
        refreshed_at=refreshed_at,
        last_error=error,
        last_error_at=error_at,
    )
