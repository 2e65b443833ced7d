"""The rollup under concurrency: flushes that commit at each step of a refresh, two refreshers, one that fails."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError

from events import queries, rollups
from events.connections import conninfo
from events.rollup_status import read_rollup_status
from events.rollups import Bucket, coalesce, refresh_rollups
from tests.contracts.native import database
from tests.contracts.storage import MINUTE, NOON, Database, event, new_project, series

__all__ = ["database"]

# One event and its ledger row, as a flush writes them.
FLUSH = """
    WITH stored AS (
        INSERT INTO event (project_id, time, uid, type, source, subject, partition_key, partition, value, received_at)
        VALUES (%(project)s, %(time)s, gen_random_uuid(), 'reading', '', '', '', 0, 2, clock_timestamp())
        RETURNING project_id, time
    )
    INSERT INTO rollup_ledger (project_id, bucket) SELECT project_id, date_trunc('minute', time) FROM stored
"""


@pytest.fixture(autouse=True)
def _clean(database: Database) -> Iterator[None]:
    yield
    database.clear()


@contextmanager
def another_session() -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    with psycopg.connect(conninfo(), autocommit=True) as connection:
        yield connection


def flush_elsewhere(connection: "psycopg.Connection[tuple[Any, ...]]", project: int, when: datetime) -> None:
    connection.execute(FLUSH, {"project": project, "time": when})


@pytest.mark.parametrize("step", range(1, 5))
def test_a_flush_that_commits_at_any_step_of_a_refresh_is_counted_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    project = new_project()
    database.store(event(project, NOON, value=1.0))
    steps = 0

    def interrupted(using: str, statement: str, parameters: dict[str, Any]) -> int:
        nonlocal steps
        steps += 1
        if steps == step:
            with another_session() as other:
                flush_elsewhere(other, project, NOON)
        return queries.execute(using, statement, parameters)

    monkeypatch.setattr(rollups, "execute", interrupted)
    refresh_rollups(max_buckets=1)
    monkeypatch.undo()
    assert steps >= step
    assert series(project) == database.recount(project)
    assert sum(point.events for point in series(project)) == 2
    refresh_rollups()
    assert database.dirty(project) == []
    assert series(project) == database.recount(project)


def test_a_flush_that_is_open_during_a_refresh_shows_when_it_commits(database: Database) -> None:
    project = new_project()
    database.store(event(project, NOON))
    with another_session() as other:
        with other.transaction():
            flush_elsewhere(other, project, NOON)
            refresh_rollups()
            assert sum(point.events for point in series(project)) == 1
        assert sum(point.events for point in series(project)) == 2
    assert database.dirty(project) == [NOON]


def test_a_second_refresher_leaves_at_once(database: Database) -> None:
    project = new_project()
    database.store(event(project, NOON))
    with another_session() as other:
        other.execute("SELECT pg_advisory_lock(%s)", [rollups.ROLLUP_LOCK])
        assert refresh_rollups().busy
        assert database.dirty(project) == [NOON]
        other.execute("SELECT pg_advisory_unlock(%s)", [rollups.ROLLUP_LOCK])
    assert refresh_rollups().finished
    assert database.dirty(project) == []


def test_a_busy_project_does_not_keep_another_waiting(database: Database) -> None:
    busy, quiet = new_project(), new_project()
    minutes = range(3 * rollups.BATCH)
    database.store(*[event(busy, NOON + MINUTE * n) for n in minutes])
    database.store(event(quiet, NOON))
    calls = 0
    while database.dirty(quiet):
        refresh_rollups(max_buckets=1)
        database.store(*[event(busy, NOON + MINUTE * n) for n in minutes])
        calls += 1
        assert calls <= 4
    assert database.dirty(busy)


def test_a_minute_that_fails_is_told_and_does_not_stop_the_others(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, sound = new_project(), new_project()
    database.store(*[event(broken, NOON + MINUTE * n) for n in range(rollups.BATCH)])
    database.store(event(sound, NOON))

    def failing(using: str, statement: str, parameters: dict[str, Any]) -> int:
        if broken in parameters.get("projects", []):
            raise DatabaseError("the disk is full")
        return queries.execute(using, statement, parameters)

    monkeypatch.setattr(rollups, "execute", failing)
    for _ in range(2):
        with pytest.raises(DatabaseError):
            refresh_rollups()
    monkeypatch.undo()
    assert database.dirty(sound) == []
    assert database.dirty(broken)
    assert read_rollup_status().last_error == "the disk is full"
    assert series(broken) == database.recount(broken)


def test_a_call_does_bounded_work(database: Database) -> None:
    project = new_project()
    database.store(*[event(project, NOON + MINUTE * n) for n in range(50)])
    done = refresh_rollups(max_buckets=20)
    assert (done.buckets, done.finished) == (20, False)
    done = refresh_rollups(seconds=0.0)
    assert (done.buckets, done.finished) == (rollups.BATCH, False)


def test_dirty_minutes_are_found_without_reading_every_ledger_row(database: Database) -> None:
    project = new_project()
    database.execute(
        "INSERT INTO rollup_ledger (project_id, bucket)"
        " SELECT %(id)s, %(noon)s::timestamptz + (n %% 3) * INTERVAL '1 minute' FROM generate_series(1, 30000) n",
        id=project,
        noon=NOON,
    )
    database.execute("ANALYZE rollup_ledger")
    plan = database.value(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {queries.query('rollup_dirty')}",
        project_id=0,
        bucket=NOON - MINUTE,
        settle=timedelta(0),
        limit=10,
    )
    assert rollups.select_dirty() == [Bucket(project, NOON + MINUTE * n) for n in range(3)]
    assert "Seq Scan" not in json.dumps(plan)


@pytest.mark.parametrize(
    ("minutes", "ranges"),
    [
        ([], []),
        ([0], [(0, 1)]),
        ([2, 0, 1], [(0, 3)]),
        ([0, 1, 1, 3], [(0, 2), (3, 4)]),
        ([5, 9], [(5, 6), (9, 10)]),
    ],
)
def test_neighbouring_minutes_are_one_range(minutes: list[int], ranges: list[tuple[int, int]]) -> None:
    found = coalesce([NOON + MINUTE * n for n in minutes])
    assert found == [(NOON + MINUTE * start, NOON + MINUTE * end) for start, end in ranges]


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("rollups", *arguments, stdout=out)
        return out.getvalue()

    def test_the_status_is_for_people_and_for_programs(self, database: Database) -> None:
        database.store(event(new_project(), NOON))
        assert "dirty minutes   1, of which 1 are due" in self.run("status")
        assert json.loads(self.run("status", "--json"))["due_buckets"] == 1

    def test_a_dry_run_changes_nothing(self, database: Database) -> None:
        project = new_project()
        database.store(event(project, NOON))
        assert "Would refresh 1 minutes." in self.run("refresh", "--dry-run")
        assert database.dirty(project) == [NOON]

    def test_a_refresh_says_what_it_did(self, database: Database) -> None:
        database.store(event(new_project(), NOON))
        assert json.loads(self.run("refresh", "--json")) == {
            "buckets": 1,
            "ledger_rows": 1,
            "finished": True,
            "busy": False,
        }

    def test_a_refresh_that_could_not_finish_exits_with_1(self, database: Database) -> None:
        with another_session() as other:
            other.execute("SELECT pg_advisory_lock(%s)", [rollups.ROLLUP_LOCK])
            with pytest.raises(SystemExit, match="1"):
                self.run("refresh")
            other.execute("SELECT pg_advisory_unlock(%s)", [rollups.ROLLUP_LOCK])
