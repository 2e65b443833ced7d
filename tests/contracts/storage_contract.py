"""What both editions of TimescaleDB promise alike: constraints, the flush, the rollup and its selector, identity."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connections
from django.db.migrations.executor import MigrationExecutor

from events import queries, rollups
from events.editions import detect_edition, rollup_kind
from events.maintenance import prune_ingest_tables
from events.rollup_status import read_rollup_status
from events.rollups import refresh_rollups
from events.rotation import rotate_identity
from events.selectors import (
    select_ack_latency,
    select_newest_events,
    select_traffic,
)
from tests.contracts.storage import (
    HOUR,
    MINUTE,
    NOON,
    USING,
    Database,
    attributed_event,
    event,
    flush_of,
    new_project,
    series,
)


def migrate(*targets: tuple[str, str | None]) -> None:
    executor = MigrationExecutor(connections[USING])
    executor.migrate(list(targets) or executor.loader.graph.leaf_nodes("events"))


@pytest.fixture(autouse=True)
def cleared(database: Database) -> Iterator[None]:
    yield
    database.clear()


class TestMigrations:
    def test_the_rollup_is_what_this_edition_does_best(self, database: Database) -> None:
        expected = {"community": "continuous aggregate", "apache": "table"}
        assert rollup_kind() == expected[detect_edition().name]

    def test_the_rollup_can_be_taken_away_and_brought_back_over_stored_events(
        self, database: Database
    ) -> None:
        project = new_project()
        database.store(*[event(project, NOON + MINUTE * n, value=float(n)) for n in range(5)])
        refresh_rollups()
        migrate(("events", "0002_ingest"))
        migrate()
        assert series(project) == database.recount(project)
        assert len(database.dirty(project)) == 5
        refresh_rollups()
        assert database.rolled_up(project) == 5

    def test_every_migration_reverses(self, database: Database) -> None:
        migrate(("events", None))
        tables = {
            name for (name,) in database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        }
        assert not tables & {"event", "event_identity", "ingest_flush", "rollup_1m", "rollup_progress"}
        executor = MigrationExecutor(connections[USING])
        executor.migrate(
            executor.loader.graph.leaf_nodes() if _has_accounts(tables) else [("events", _last(executor))]
        )
        database.store(event(new_project(), NOON))


def _has_accounts(tables: set[str]) -> bool:
    return any(name.startswith("accounts_") for name in tables)


def _last(executor: MigrationExecutor) -> str:
    ((_, name),) = executor.loader.graph.leaf_nodes("events")
    return str(name)


class TestConstraints:
    @pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
    def test_a_value_is_a_finite_number(self, database: Database, value: str) -> None:
        with pytest.raises(IntegrityError):
            insert_raw(database, value=value)

    @pytest.mark.parametrize(
        "when", ["9999-01-01 00:00:00+00", "10000-01-01 00:00:00+00", "0001-01-01 00:00:00+00 BC"]
    )
    def test_a_time_is_one_that_clients_can_read(self, database: Database, when: str) -> None:
        with pytest.raises(IntegrityError):
            insert_raw(database, time=when)

    def test_an_event_is_stored_once(self, database: Database) -> None:
        row = {"project_id": new_project(), "uid": uuid4()}
        insert_raw(database, **row)
        with pytest.raises(IntegrityError):
            insert_raw(database, **row)

    def test_the_event_itself_is_as_it_was_sent(self, database: Database) -> None:
        project = new_project()
        sent = event(
            project, NOON, id="a-1", source="gate", subject="é", value=-0.5, data={"deep": [1, None]}
        )
        database.store(sent)
        rows = database.rows(
            "SELECT uid, time, type, source, subject, partition_key, partition, event_id, value, data::text"
            " FROM event WHERE project_id = %(id)s", id=project,
        )  # fmt: skip
        assert [(row[0].bytes, *row[1:]) for row in rows] == [
            (sent.uid, NOON, "reading", "gate", "é", "é", sent.partition, "a-1", -0.5, '{"deep": [1, null]}')
        ]

    @pytest.mark.parametrize("refused_beside", [False, True])
    def test_attributes_are_kept_beside_it_and_are_null_in_events_of_our_own(
        self, database: Database, refused_beside: bool
    ) -> None:
        """Whether it is copied, or inserted because the database refuses another event of the flush."""
        project = new_project()
        kinds: list[dict[str, Any]] = [
            {},
            {"value": 0.5},
            {"data": {"a": 1}},
            {"value": 0.5, "data": {"a": 1}},
        ]
        text = '{"colour": "é", "specversion": "1.0"}'
        events = [
            attributed_event(project, NOON, text.encode(), subject=str(place), **kind)
            for place, kind in enumerate(kinds)
        ]
        refused = [event(project, NOON, data={"x": 0}, subject="refused")] if refused_beside else []
        for each in refused:
            each.data, each.row = b'{"x":1e-99999}', each.row.replace(b'{"x":0}', b'{"x":-}')
        database.store(*events, event(project, NOON, subject="our own"), *refused)
        rows = database.rows(
            "SELECT subject, value, data::text, attributes::text FROM event WHERE project_id = %(id)s ORDER BY 1",
            id=project,
        )
        assert rows == [
            ("0", None, None, text),
            ("1", 0.5, None, text),
            ("2", None, '{"a": 1}', text),
            ("3", 0.5, '{"a": 1}', text),
            ("our own", None, None, None),
        ]


def insert_raw(database: Database, **columns: Any) -> None:
    row = {"project_id": 1, "uid": uuid4(), "time": "2026-03-01 12:00:00+00", "value": None} | columns
    database.execute(
        "INSERT INTO event (project_id, time, uid, type, source, subject, partition_key, partition, value, received_at)"
        " VALUES (%(project_id)s, %(time)s::timestamptz, %(uid)s, 't', '', '', '', 0, %(value)s::float8, now())",
        **row,
    )


class TestFlush:
    def test_a_flush_that_committed_is_not_stored_again(self, database: Database) -> None:
        project = new_project()
        database.store(event(project, NOON, id="known"))
        flush = flush_of(
            [event(project, NOON), event(project, NOON, id="known"), event(project, NOON, id="new")]
        )
        first, again = database.commit(flush), database.commit(flush)
        assert first.duplicates == again.duplicates == {1}
        assert first.received_at >= again.received_at - timedelta(seconds=1)
        assert database.value("SELECT count(*) FROM event WHERE project_id = %(id)s", id=project) == 3
        assert counted(database, project) == (3, 1, 0)

    def test_counts_of_a_second_add_up(self, database: Database) -> None:
        project = new_project()
        for _ in range(5):
            database.store(event(project, NOON), event(project, NOON, type="other"))
        assert counted(database, project) == (10, 0, 0)
        rows = database.rows("SELECT DISTINCT type FROM ingest_count WHERE project_id = %(id)s", id=project)
        assert sorted(rows) == [("other",), ("reading",)]

    def test_each_minute_of_a_flush_is_in_the_ledger_once(self, database: Database) -> None:
        project = new_project()
        database.store(*[event(project, NOON + timedelta(seconds=n)) for n in range(130)])
        rows = database.rows(
            "SELECT bucket FROM rollup_ledger WHERE project_id = %(id)s ORDER BY 1", id=project
        )
        assert rows == [(NOON,), (NOON + MINUTE,), (NOON + 2 * MINUTE,)]

    def test_only_what_the_database_refuses_is_refused(self, database: Database) -> None:
        project = new_project()
        events = [event(project, NOON, value=float(n)) for n in range(7)]
        events[4].value, events[4].row = (
            float("nan"),
            events[4].row.replace(b"\x40\x10" + bytes(6), b"\x7f\xf8" + bytes(6)),
        )
        outcome = database.store(*events)
        assert set(outcome.refused) == {4}
        assert database.value("SELECT count(*) FROM event WHERE project_id = %(id)s", id=project) == 6


def counted(database: Database, project: int) -> tuple[int, int, int]:
    ((accepted, duplicate, rejected),) = database.rows(
        "SELECT sum(accepted)::int, sum(duplicate)::int, sum(rejected)::int FROM ingest_count"
        " WHERE project_id = %(id)s",
        id=project,
    )
    return accepted, duplicate, rejected


class TestRollup:
    def some_events(self, project: int) -> list[Any]:
        """Whole and half numbers, so that sums are exact in whatever order they are added."""
        return [
            event(project, NOON + timedelta(seconds=7 * n), type=f"t{n % 3}", source=f"s{n % 2}", value=n / 2)
            if n % 5
            else event(project, NOON + timedelta(seconds=7 * n), type=f"t{n % 3}")
            for n in range(400)
        ]

    def assert_equals_recount(self, database: Database, project: int) -> None:
        for interval in (MINUTE, 5 * MINUTE, HOUR):
            found = series(project, interval=interval)
            assert found == database.recount(project, interval)
            assert found

    def test_the_selector_equals_a_recount_before_during_and_after_a_refresh(
        self, database: Database
    ) -> None:
        project = new_project()
        database.store(*self.some_events(project))
        assert database.rolled_up(project) == 0
        self.assert_equals_recount(database, project)
        refresh_rollups(max_buckets=20)
        assert database.dirty(project)
        assert 0 < database.rolled_up(project) < 400
        self.assert_equals_recount(database, project)
        refresh_rollups()
        assert database.dirty(project) == []
        assert database.rolled_up(project) == 400
        self.assert_equals_recount(database, project)

    def test_the_rollup_answers_once_it_is_refreshed(self, database: Database) -> None:
        """Without its events a refreshed bucket still answers, so it was not read raw."""
        project = new_project()
        database.store(*self.some_events(project))
        refresh_rollups()
        before = series(project)
        database.execute("DELETE FROM event WHERE project_id = %(id)s", id=project)
        assert series(project) == before

    def test_late_events_in_a_refreshed_minute_show_at_once(self, database: Database) -> None:
        project = new_project()
        database.store(*self.some_events(project))
        refresh_rollups()
        database.store(event(project, NOON + MINUTE, type="late", value=8.0))
        assert [point.events for point in series(project, types=["late"])] == [1]
        self.assert_equals_recount(database, project)
        refresh_rollups()
        assert database.dirty(project) == []
        self.assert_equals_recount(database, project)

    def test_a_minute_that_lost_all_its_events_is_gone_after_a_refresh(self, database: Database) -> None:
        project = new_project()
        database.store(event(project, NOON), event(project, NOON + MINUTE))
        refresh_rollups()
        database.execute(
            "DELETE FROM event WHERE project_id = %(id)s AND time = %(when)s", id=project, when=NOON
        )
        mark_dirty(database, project, NOON)
        refresh_rollups()
        assert database.rolled_up(project) == 1
        assert [point.bucket for point in series(project)] == [NOON + MINUTE]

    def test_what_arrives_during_a_refresh_stays_in_the_ledger(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After every statement of the refresh another event is committed into the same minute."""
        project = new_project()
        database.store(event(project, NOON, value=1.0))
        original = queries.execute

        def arriving(using: str, statement: str, parameters: dict[str, Any]) -> int:
            changed = original(using, statement, parameters)
            if "rollup_progress" not in statement and not statement.startswith(
                "DELETE FROM rollup_ledger WHERE"
            ):
                insert_raw(database, project_id=project, value=2.0)
                mark_dirty(database, project, NOON)
            return changed

        monkeypatch.setattr(rollups, "execute", arriving)
        refresh_rollups(max_buckets=1)
        monkeypatch.undo()
        assert database.dirty(project) == [NOON]
        self.assert_equals_recount(database, project)
        refresh_rollups()
        assert database.dirty(project) == []
        self.assert_equals_recount(database, project)

    def test_a_minute_that_is_still_filling_is_left_raw(self, database: Database) -> None:
        project = new_project()
        now: datetime = database.value("SELECT clock_timestamp()")
        database.store(event(project, now), event(project, NOON))
        refresh_rollups()
        assert database.dirty(project) == [now.replace(second=0, microsecond=0)]
        assert read_rollup_status().due_buckets == 0

    def test_values_at_the_ends_of_float8_do_not_stop_a_refresh(self, database: Database) -> None:
        project = new_project()
        values = [1.7e308, 1.7e308, 1e-300, 3.0]
        database.store(*[event(project, NOON, value=value) for value in values])
        raw = series(project)
        refresh_rollups()
        assert database.dirty(project) == []
        assert series(project) == raw
        assert (raw[0].values, raw[0].min, raw[0].max) == (4, 1e-300, 1.7e308)
        assert raw[0].sum == raw[0].sum_squares == float("inf")

    def test_filters_hold_on_both_halves(self, database: Database) -> None:
        project = new_project()
        database.store(*self.some_events(project))
        refresh_rollups(max_buckets=20)
        found = series(project, types=["t1"], sources=["s0", "s1"], interval=HOUR)
        recounted = database.recount(project, HOUR)
        assert found == [point for point in recounted if point.type == "t1" and point.source]
        assert found

    def test_projects_do_not_mix(self, database: Database) -> None:
        mine, other = new_project(), new_project()
        database.store(event(mine, NOON))
        database.store(event(other, NOON), event(other, NOON))
        assert [point.events for point in series(mine)] == [1]
        refresh_rollups()
        assert [point.events for point in series(mine)] == [1]
        assert [point.events for point in series(other)] == [2]

    def test_the_status_says_how_far_behind_it_is(self, database: Database) -> None:
        project = new_project()
        database.store(event(project, NOON), event(project, NOON + 5 * MINUTE))
        before = read_rollup_status()
        assert (before.dirty_buckets, before.due_buckets) == (2, 2)
        assert 0 <= before.lag_seconds < 60
        refresh_rollups()
        after = read_rollup_status()
        assert (after.due_buckets, after.lag_seconds, after.last_error) == (0, 0.0, None)
        assert after.refreshed_at is not None
        assert after.bytes > 0


def mark_dirty(database: Database, project: int, bucket: datetime) -> None:
    database.execute(
        "INSERT INTO rollup_ledger (project_id, bucket) VALUES (%(project)s, %(bucket)s)",
        project=project,
        bucket=bucket,
    )


class TestIdentity:
    def test_an_id_is_known_whatever_its_time(self, database: Database) -> None:
        project = new_project()
        database.store(event(project, NOON, id="x"))
        assert database.store(event(project, NOON + HOUR, id="x")).duplicates == {0}

    def test_an_id_is_known_across_one_rotation_and_forgotten_after_two(self, database: Database) -> None:
        project = new_project()
        database.store(event(project, NOON, id="x"))
        first = rotate_identity(force=True)
        assert first.rotated
        assert database.store(event(project, NOON + MINUTE, id="x")).duplicates == {0}
        second = rotate_identity(force=True)
        assert second.generation == first.generation + 1
        assert second.dropped
        assert database.store(event(project, NOON + HOUR, id="x")).duplicates == set()

    def test_two_generations_are_kept(self, database: Database) -> None:
        for _ in range(3):
            current = rotate_identity(force=True).generation
        partitions = database.rows(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'event_identity'::regclass ORDER BY 1"
        )
        assert sorted(partitions) == sorted(
            [(f"event_identity_g{current - 1}",), (f"event_identity_g{current}",)]
        )

    def test_it_rotates_only_when_the_horizon_has_passed(self, database: Database) -> None:
        rotate_identity(force=True)
        assert not rotate_identity().rotated
        assert rotate_identity(horizon=timedelta(0)).rotated


class TestHousekeeping:
    def test_old_rows_go_and_new_ones_stay(self, database: Database) -> None:
        project = new_project()
        self.insert_aged(database, project, "2 days")
        database.store(event(project, NOON))
        treated = prune_ingest_tables()
        assert {name: treated[name] for name in ("ingest_flush", "event_tail", "ingest_latency")} == {
            "ingest_flush": 1,
            "event_tail": 1,
            "ingest_latency": 1,
        }
        assert database.value("SELECT count(*) FROM ingest_flush") == 1
        assert database.value("SELECT count(*) FROM event_tail") == 1

    def insert_aged(self, database: Database, project: int, age: str) -> None:
        values = {"project": project, "age": age}
        for statement in (
            "INSERT INTO ingest_flush (id, process, committed_at)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), now() - %(age)s::interval)",
            "INSERT INTO event_tail VALUES (%(project)s, now() - %(age)s::interval, now(), gen_random_uuid())",
            "INSERT INTO ingest_latency VALUES (now() - %(age)s::interval, gen_random_uuid(), '{1,2}')",
        ):
            database.execute(statement, **values)

    def test_folded_counts_keep_their_sums(self, database: Database) -> None:
        project = new_project()
        database.execute(
            "INSERT INTO ingest_count SELECT %(project)s, date_trunc('second', now()) - n * INTERVAL '30 minutes', 't',"
            " gen_random_uuid(), n, 1, 2 FROM generate_series(1, 200) n",
            project=project,
        )
        before = counted(database, project)
        prune_ingest_tables(batch=30)
        assert counted(database, project) == before
        rows = database.value("SELECT count(*) FROM ingest_count WHERE project_id = %(id)s", id=project)
        assert rows < 130
        prune_ingest_tables(batch=30)
        assert counted(database, project) == before


class TestOverview:
    def test_the_overview_reads_what_a_flush_wrote(self, database: Database) -> None:
        project = new_project()
        stored = [event(project, NOON, id="one", value=1.5), event(project, NOON + MINUTE, type="other")]
        database.store(*stored)
        database.execute("UPDATE ingest_count SET second = second - INTERVAL '2 seconds'")
        traffic = select_traffic(project_id=project)
        assert traffic.total.accepted == sum(second.accepted for second in traffic.seconds) == 2
        assert {row.type: row.counts.accepted for row in traffic.types} == {"other": 1, "reading": 1}
        newest = select_newest_events(project_id=project)
        assert {(found.id, found.type, found.value) for found in newest} == {
            ("one", "reading", 1.5),
            (stored[1].id, "other", None),
        }
        assert select_ack_latency().requests == 0
