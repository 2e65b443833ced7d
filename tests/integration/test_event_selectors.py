"""What the overview reads: filled windows, percentiles, order, and how many statements that takes."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.selectors import (
    has_events,
    select_ack_latency,
    select_latest_rejections,
    select_newest_events,
    select_series,
    select_traffic,
)
from telemetry.latency import BOUNDS_MS
from tests.contracts.native import database
from tests.contracts.storage import MINUTE, NOON, Database, event, new_project

__all__ = ["database"]


@pytest.fixture(autouse=True)
def _clean(database: Database) -> Iterator[None]:
    yield
    database.clear()


def count_at(database: Database, project: int, age: float, accepted: int, event_type: str = "t") -> None:
    database.execute(
        "INSERT INTO ingest_count VALUES (%(project)s, date_trunc('second', now()) - %(age)s, %(type)s, %(process)s,"
        " %(accepted)s, 1, 2)",
        project=project,
        age=timedelta(seconds=age),
        type=event_type,
        process=uuid4(),
        accepted=accepted,
    )


def test_traffic_has_an_entry_for_every_second_of_the_window(database: Database) -> None:
    project = new_project()
    count_at(database, project, 5, accepted=3)
    traffic = select_traffic(project_id=project)
    assert len(traffic.seconds) == 900
    assert traffic.end - traffic.start == timedelta(minutes=15)
    assert [second.accepted for second in traffic.seconds if second.accepted] == [3]
    assert traffic.seconds[-1].accepted == traffic.seconds[0].accepted == 0


def test_traffic_adds_up_processes_and_types(database: Database) -> None:
    project, other = new_project(), new_project()
    for event_type, accepted in (("a", 1), ("b", 5), ("a", 3)):
        count_at(database, project, 5, accepted, event_type)
    count_at(database, project, 1000, 100)
    count_at(database, other, 5, 100)
    traffic = select_traffic(project_id=project)
    assert [(row.type, row.counts.accepted) for row in traffic.types] == [("b", 5), ("a", 4)]
    assert (traffic.total.accepted, traffic.total.duplicate, traffic.total.rejected) == (9, 3, 6)
    assert max(second.accepted for second in traffic.seconds) == 9


def test_a_project_without_traffic_has_quiet_seconds(database: Database) -> None:
    traffic = select_traffic(project_id=new_project())
    assert len(traffic.seconds) == 900
    assert traffic.types == []
    assert traffic.total.accepted == 0


def test_the_newest_events_come_newest_first(database: Database) -> None:
    project = new_project()
    for n in range(30):
        database.store(event(project, NOON - n * MINUTE, id=f"e{n}"))
    database.store(event(new_project(), NOON))
    assert [found.id for found in select_newest_events(project_id=project)] == [
        f"e{n}" for n in range(29, 9, -1)
    ]


def test_an_event_without_an_id_of_its_sender_is_named_by_its_uid(database: Database) -> None:
    project = new_project()
    database.store(event(project, NOON))
    (found,) = select_newest_events(project_id=project)
    assert found.id == str(found.uid)


def test_latencies_of_all_processes_are_one_distribution(database: Database) -> None:
    places = {5: 50, 20: 45, 30: 5}
    for _ in range(2):
        counts = [places.get(place, 0) for place in range(len(BOUNDS_MS) + 1)]
        database.execute(
            "INSERT INTO ingest_latency VALUES (now(), %(id)s, %(counts)s)", id=uuid4(), counts=counts
        )
    database.execute(
        "INSERT INTO ingest_latency VALUES (now() - INTERVAL '2 minutes', %(id)s, '{900}')", id=uuid4()
    )
    latency = select_ack_latency()
    assert latency.requests == 200
    assert latency.p50 == pytest.approx(BOUNDS_MS[5])
    assert latency.p95 == pytest.approx(BOUNDS_MS[20])
    assert latency.p99 is not None
    assert BOUNDS_MS[29] < latency.p99 < BOUNDS_MS[30]


def test_without_requests_there_are_no_latencies(database: Database) -> None:
    assert select_ack_latency().p50 is None


def test_the_latest_rejections_come_newest_first(database: Database) -> None:
    project = new_project()
    database.execute(
        "INSERT INTO rejected_event SELECT gen_random_uuid(), %(id)s, now() - n * INTERVAL '1 second', 'r', NULL, 0,"
        " 't', 'code-' || n, '/value', 'No.', '' FROM generate_series(1, 12) n",
        id=project,
    )
    found = select_latest_rejections(project_id=project)
    assert [row.code for row in found] == [f"code-{n}" for n in range(1, 11)]


def test_it_knows_whether_a_project_ever_had_events(database: Database) -> None:
    project, other = new_project(), new_project()
    database.store(event(project, NOON))
    assert has_events(project_id=project)
    assert not has_events(project_id=other)


def test_the_overview_takes_five_statements(database: Database) -> None:
    project = new_project()
    for n in range(3):
        database.store(event(project, NOON, id=f"e{n}"))
    with CaptureQueriesContext(connection) as captured:
        select_traffic(project_id=project)
        select_newest_events(project_id=project)
        select_ack_latency()
        select_latest_rejections(project_id=project)
    assert len(captured) == 5


def test_a_series_takes_one_statement(database: Database) -> None:
    with CaptureQueriesContext(connection) as captured:
        select_series(project_id=new_project(), start=NOON, end=NOON + MINUTE)
    assert len(captured) == 1


@pytest.mark.parametrize("interval", [timedelta(seconds=90), timedelta(0), timedelta(seconds=1)])
def test_a_series_steps_on_whole_minutes(database: Database, interval: timedelta) -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        select_series(project_id=1, start=NOON, end=NOON + MINUTE, interval=interval)
