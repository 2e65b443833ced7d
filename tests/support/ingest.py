"""A project with keys, a way to post to it, and the books: what the ingest tables say afterwards."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
from psycopg.rows import dict_row

from accounts.allowances import UNLIMITED, Allowance
from accounts.models import Project
from accounts.services import create_key, create_project
from events import epoch, segments
from events.connections import conninfo
from tests.support.doors import Answer, Door

Row = dict[str, Any]
DATA_TABLES = (
    "event", "event_identity", "ingest_flush", "ingest_count", "ingest_latency", "event_tail", "event_segment",
    "event_route", "rollup_ledger", "rejected_event", "rejected_bulk", "idempotency", "ingest_usage", "ingest_drop",
)  # fmt: skip


@dataclass(frozen=True)
class Tenant:
    """A project of a test's own and a key to send with."""

    project: Project
    key: str

    @property
    def id(self) -> int:
        return self.project.pk

    def another_key(self, *scopes: str) -> str:
        return create_key(project=self.project, scopes=scopes).text

    def limited_key(
        self, allowance: Allowance = UNLIMITED, *, types: Iterable[str] = (), addresses: Iterable[str] = ()
    ) -> str:
        """A key to send with."""
        return create_key(
            project=self.project,
            scopes=["ingest"],
            allowance=allowance,
            allowed_types=types,
            allowed_addresses=addresses,
        ).text


def make_tenant(*scopes: str, raw_retention_days: int = 90, live_limit_days: int | None = None) -> Tenant:
    slug = f"t-{uuid4().hex[:12]}"
    project = create_project(
        slug=slug, name=slug, raw_retention_days=raw_retention_days, live_limit_days=live_limit_days
    )
    return Tenant(project, create_key(project=project, scopes=scopes or ("ingest",)).text)


def post(
    door: Door,
    key: str | None,
    events: object,
    *,
    query: str = "",
    content_type: str | None = "application/json",
    **headers: str,
) -> Answer:
    """Send `events`: bytes as they are, anything else as JSON. `headers` as `content_encoding="gzip"`."""
    body = events if isinstance(events, bytes) else msgspec.json.encode(events)
    sent = {name.replace("_", "-").title(): value for name, value in headers.items()}
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    if content_type is not None:
        sent["Content-Type"] = content_type
    return door.send(body, sent, query)


class Books:
    """Reads the ingest tables by a connection of its own, so that it sees only what was committed."""

    def __init__(self) -> None:
        self._connection = psycopg.connect(conninfo(), autocommit=True, row_factory=dict_row)

    def rows(self, query: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        return self._connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, parameters: Mapping[str, object] | None = None) -> Any:
        (row,) = self.rows(query, parameters)
        (value,) = row.values()
        return value

    def execute(self, statement: str, parameters: Mapping[str, object] | None = None) -> None:
        self._connection.execute(statement.encode(), parameters)

    def events(self, project_id: int) -> list[Row]:
        """Stored events, oldest first."""
        query = "SELECT * FROM event WHERE project_id = %(id)s ORDER BY time, uid"
        return self.rows(query, {"id": project_id})

    def stored(self, project_id: int) -> int:
        count: int = self.value("SELECT count(*) FROM event WHERE project_id = %(id)s", {"id": project_id})
        return count

    def counts(self, project_id: int) -> dict[str, tuple[int, int, int]]:
        """(accepted, duplicate, rejected) by type."""
        found = self.rows(
            "SELECT type, sum(accepted)::int AS a, sum(duplicate)::int AS d, sum(rejected)::int AS r"
            " FROM ingest_count WHERE project_id = %(id)s GROUP BY type",
            {"id": project_id},
        )
        return {row["type"]: (row["a"], row["d"], row["r"]) for row in found}

    def rejected(self, project_id: int) -> list[Row]:
        query = "SELECT * FROM rejected_event WHERE project_id = %(id)s ORDER BY received_at, position"
        return self.rows(query, {"id": project_id})

    def ledger(self, project_id: int) -> list[Any]:
        query = "SELECT bucket FROM rollup_ledger WHERE project_id = %(id)s ORDER BY bucket"
        return [row["bucket"] for row in self.rows(query, {"id": project_id})]

    def logged(self, project_id: int) -> list[tuple[int, segments.SegmentEvent]]:
        """(partition, event) of each event of the project in the log, in the log's order."""
        found = self.rows("SELECT partition, payload FROM event_segment ORDER BY id")
        return [
            (row["partition"], event)
            for row in found
            for event in segments.unpack(bytes(row["payload"]))
            if event.project_id == project_id
        ]

    def close(self) -> None:
        self._connection.close()


def route(project_id: int, patterns: Iterable[str]) -> None:
    """Make these types the ones that the log keeps, as deploying a pipeline does."""
    with epoch.epoch_exclusive() as (cursor, _instant):
        epoch.replace_routes(cursor, project_id=project_id, patterns=list(patterns))


def wipe(books: Books) -> None:
    """An ingest that nobody has used yet."""
    for table in DATA_TABLES:
        books.execute(f"DELETE FROM {table}")
    books.execute("UPDATE ingest_epoch SET routing_version = routing_version + 1")
