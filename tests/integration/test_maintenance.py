"""Housekeeping under load: bounded batches, indexes, rotation beside open flushes and long readers."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError

from accounts.services import create_project
from config import celery  # noqa: F401 - registers the app that the tasks below belong to
from config.settings.schedule import CELERY_BEAT_SCHEDULE
from events import rotation, tasks
from events.connections import conninfo
from events.epoch import EPOCH
from events.maintenance import RULES, Rule, prune_ingest_tables
from events.rotation import rotate_identity
from tests.contracts.native import database
from tests.contracts.storage import NOON, Database, event, new_project

__all__ = ["database"]


@pytest.fixture(autouse=True)
def _clean(database: Database) -> Iterator[None]:
    yield
    database.clear()


def insert_old_flushes(database: Database, rows: int) -> None:
    database.execute(
        "INSERT INTO ingest_flush (id, process, committed_at)"
        " SELECT gen_random_uuid(), gen_random_uuid(), now() - INTERVAL '2 days' FROM generate_series(1, %(rows)s)",
        rows=rows,
    )


def test_pruning_goes_on_until_nothing_old_is_left(database: Database) -> None:
    insert_old_flushes(database, 25)
    assert prune_ingest_tables(batch=10)["ingest_flush"] == 25


def test_pruning_stops_at_its_deadline_after_a_batch_of_each(database: Database) -> None:
    insert_old_flushes(database, 25)
    assert prune_ingest_tables(batch=10, seconds=0.0)["ingest_flush"] == 10


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_what_is_old_is_found_by_an_index(database: Database, rule: Rule) -> None:
    fill = {
        "ingest_flush": "INSERT INTO ingest_flush SELECT gen_random_uuid(), gen_random_uuid(), now() FROM n",
        "idempotency": (
            "INSERT INTO idempotency SELECT 1, gen_random_uuid(), '', gen_random_uuid(), now(), 200, 1, 0, 0, '' FROM n"
        ),
        "event_tail": "INSERT INTO event_tail SELECT 1, now(), now(), gen_random_uuid() FROM n",
        "ingest_latency": "INSERT INTO ingest_latency SELECT now(), gen_random_uuid(), '{1}' FROM n",
        "rejected_event": (
            "INSERT INTO rejected_event SELECT gen_random_uuid(), 1, now(), 'r', 1, 0, 't', 'c', '', '', '' FROM n"
        ),
        "schema_warning": "INSERT INTO schema_warning SELECT 1, generate_series::text, now(), 1, '', '' FROM n",
        "rejected_bulk": (
            "INSERT INTO rejected_bulk SELECT gen_random_uuid(), 1, 'replay', '', '', 0, '', now() FROM n"
        ),
        "ingest_count": "INSERT INTO ingest_count SELECT 1, now(), 't', gen_random_uuid(), 1, 0, 0 FROM n",
        "ingest_drop": "INSERT INTO ingest_drop SELECT 1, now(), 'r', row_number() OVER (), 1, 1 FROM n",
        "ingest_usage": "INSERT INTO ingest_usage SELECT 1, now(), 1, gen_random_uuid(), 1 FROM n",
    }
    database.execute(f"WITH n AS (SELECT generate_series(1, 20000)) {fill[rule.name]}")
    database.execute(f"ANALYZE {rule.name}")
    plan = database.value(f"EXPLAIN (FORMAT JSON) {rule.statement}", **rule.parameters(5000))
    conditions = [node["Index Cond"] for node in nodes(plan) if "Index Cond" in node]
    assert any("statement_timestamp()" in condition for condition in conditions), plan


def nodes(plan: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plan, dict):
        yield plan
    for child in plan.values() if isinstance(plan, dict) else plan if isinstance(plan, list) else ():
        yield from nodes(child)


def test_refused_events_are_kept_for_a_month(database: Database) -> None:
    for days in (29, 31):
        database.execute(
            "INSERT INTO rejected_event SELECT gen_random_uuid(), 1, now() - make_interval(days => %(days)s),"
            " 'r', 1, 0, 't', 'c', '', '', ''",
            days=days,
        )
    assert prune_ingest_tables()["rejected_event"] == 1


def test_each_project_keeps_its_refused_events_as_long_as_it_says(database: Database) -> None:
    """One that was deleted has the default, a month."""
    short, long = (create_project(slug=f"q-{days}", name="q") for days in (5, 60))
    for project, days in ((short, 5), (long, 60)):
        project.rejected_retention_days = days
        project.save()
    for project_id in (short.pk, long.pk, new_project()):
        for days in (4, 6, 29, 31, 59, 61):
            database.execute(
                "INSERT INTO rejected_event SELECT gen_random_uuid(), %(id)s, now() - make_interval(days => %(days)s),"
                " 'r', 1, 0, 't', 'c', '', '', ''",
                id=project_id,
                days=days,
            )
    assert prune_ingest_tables(batch=2)["rejected_event"] == 5 + 1 + 3
    kept = database.rows(
        "SELECT project_id, max(extract(day FROM now() - received_at))::int FROM rejected_event"
        " GROUP BY project_id ORDER BY 2"
    )
    assert [(days, project_id in (short.pk, long.pk)) for project_id, days in kept] == [
        (4, True),
        (29, False),
        (59, True),
    ]
    for project in (short, long):
        project.delete()


def test_an_hour_that_is_not_over_is_not_folded(database: Database) -> None:
    project = new_project()
    database.execute(
        "INSERT INTO ingest_count"
        " SELECT %(id)s, date_trunc('hour', now() - INTERVAL '1 day') + n * INTERVAL '1 second', 't',"
        "        gen_random_uuid(), 1, 0, 0 FROM generate_series(-2, 1) n",
        id=project,
    )
    assert prune_ingest_tables()["ingest_count"] == 2
    assert database.value("SELECT count(*) FROM ingest_count WHERE project_id = %(id)s", id=project) == 3


def test_a_rotation_waits_for_open_flushes_and_holds_up_none_after(database: Database) -> None:
    """A flush holds EPOCH shared and rows of identity; the rotation gets in when it commits."""
    with psycopg.connect(conninfo()) as flush:
        flush.execute("SELECT * FROM ingest_begin(%s, %s)", [uuid4(), uuid4()])
        flush.execute(
            "INSERT INTO event_identity SELECT identity_generation, gen_random_uuid(), now() FROM ingest_epoch"
        )
        threading.Timer(0.5, flush.commit).start()
        before = database.value("SELECT identity_generation FROM ingest_epoch")
        assert rotate_identity(force=True).generation == before + 1


def test_a_long_reader_of_identity_delays_the_drop_and_not_the_rotation(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate_identity(force=True)
    monkeypatch.setattr(rotation, "_drop_generation", rotation._drop_generation.__wrapped__)  # type: ignore[attr-defined]
    with psycopg.connect(conninfo()) as dump:
        dump.execute("SELECT count(*) FROM event_identity")
        before = database.value("SELECT identity_generation FROM ingest_epoch")
        with pytest.raises(OperationalError):
            rotate_identity(force=True)
        assert database.value("SELECT identity_generation FROM ingest_epoch") == before + 1
        dump.rollback()
    assert rotate_identity().dropped == [before - 1]


def test_two_rotations_at_once_rotate_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second found the generation due before the first ended it."""
    due = rotation._due_generation(True, timedelta(0), "default")
    assert due is not None
    rotate_identity(force=True)
    assert not rotation._begin_generation(due + 1, "default")
    assert database.value("SELECT identity_generation FROM ingest_epoch") == due + 1


def test_a_rotation_that_gets_no_lock_gives_up_and_can_be_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_begin_generation", rotation._begin_generation.__wrapped__)  # type: ignore[attr-defined]
    with psycopg.connect(conninfo(), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [EPOCH])
        before = database.value("SELECT identity_generation FROM ingest_epoch")
        with pytest.raises(OperationalError):
            rotate_identity(force=True)
        other.execute("SELECT pg_advisory_unlock(%s)", [EPOCH])
    assert rotate_identity(force=True).generation == before + 1


def test_each_scheduled_task_exists_and_runs(database: Database) -> None:
    database.store(event(new_project(), NOON))
    ours = {entry["task"] for entry in CELERY_BEAT_SCHEDULE.values() if entry["task"].startswith("events.")}
    scheduled = (
        tasks.refresh_rollups,
        tasks.prune_ingest_tables,
        tasks.rotate_identity,
        tasks.work_on_quarantine,
        tasks.run_imports,
        tasks.pull_files,
        tasks.tidy,
    )
    assert ours == {task.name for task in scheduled}
    for task in scheduled:
        task()
    assert database.value("SELECT count(*) FROM rollup_ledger") == 0
