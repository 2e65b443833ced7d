"""Segments out of the log and into partial windows, once."""

import threading
from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Project
from processing import draining, storage
from processing.connections import close_worker_connections, worker_connection
from processing.draining import drain_partitions
from processing.folding import save
from processing.models import PipelineVersion
from tests.support.windows import ALL, Log, Sent, deploy

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_folds_what_waits_and_empties_the_log(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    now = log.now()
    for _ in range(3):
        log.flush(project.pk, [Sent(now, key=f"k{n}") for n in range(50)])
    drained = drain_partitions(partitions=ALL)
    assert (drained.events, drained.failures) == (150, [])
    assert log.counted(version) == 150
    assert log.waiting() == 0


def test_it_leaves_other_partitions_alone(log: Log, project: Project, version: PipelineVersion) -> None:
    log.flush(project.pk, [Sent(log.now())], partition=3)
    log.flush(project.pk, [Sent(log.now())], partition=4)
    drain_partitions(partitions=[4])
    assert log.rows("SELECT partition FROM event_segment") == [(3,)]


def test_it_adds_to_what_earlier_drains_folded(log: Log, project: Project, version: PipelineVersion) -> None:
    moment = log.now()
    for value in (3.0, 1.0, 2.0):
        log.flush(project.pk, [Sent(moment, value=value)])
        drain_partitions(partitions=ALL)
    assert log.value("SELECT count(*) FROM window_state") == 1
    assert log.counted(version) == 3


def test_it_takes_more_than_a_transaction_holds(log: Log, project: Project, version: PipelineVersion) -> None:
    with log.connection.transaction():
        for _ in range(300):
            log.flush(project.pk, [Sent(log.now())], partition=0)
    assert drain_partitions(partitions=[0]).segments == 300
    assert log.counted(version) == 300


def test_it_stops_when_its_time_is_over(log: Log, project: Project, version: PipelineVersion) -> None:
    log.flush(project.pk, [Sent(log.now())])
    assert drain_partitions(partitions=ALL, seconds=0).segments == 0
    assert log.waiting() == 1


def test_events_that_no_pipeline_wants_are_dropped_from_the_log(log: Log, project: Project) -> None:
    version = deploy(project, types=["train"])
    log.flush(project.pk, [Sent(log.now())])
    drain_partitions(partitions=ALL)
    assert (log.waiting(), log.counted(version)) == (0, 0)


def test_a_deploy_is_seen_by_a_process_that_folded_before_it(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    log.flush(project.pk, [Sent(log.now())])
    drain_partitions(partitions=ALL)
    later = deploy(project, name="another")
    log.flush(project.pk, [Sent(log.now())])
    drain_partitions(partitions=ALL)
    assert (log.counted(version), log.counted(later)) == (2, 1)


def test_it_counts_an_attempt_before_it_folds_and_forgets_it_after(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    log.flush(project.pk, [Sent(log.now())], partition=9)
    drain_partitions(partitions=ALL)
    progress = log.progress(9)
    assert progress["attempts"] == 0
    assert progress["drained_at"] >= progress["attempted_at"]


def test_the_watermark_is_the_newest_event_less_the_delay_and_never_goes_back(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    moment = log.now() - timedelta(seconds=30)
    for time in (moment, moment - timedelta(seconds=20)):
        log.flush(project.pk, [Sent(time)], partition=1)
        drain_partitions(partitions=ALL)
        query = "SELECT watermark FROM watermark WHERE version_id = %s AND partition = 1"
        assert log.value(query, version.pk) == moment - timedelta(seconds=5)


def test_times_ahead_of_the_clock_do_not_push_the_watermark_ahead(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    log.flush(project.pk, [Sent(log.now() + timedelta(hours=20))], partition=1)
    drain_partitions(partitions=ALL)
    query = "SELECT watermark FROM watermark WHERE version_id = %s AND partition = 1"
    assert log.value(query, version.pk) < log.now() - timedelta(seconds=5)


@pytest.mark.parametrize(
    ("past_the_edge_us", "late"),
    [(-1, False), (0, True), (1, True)],
    ids=["inside", "on the edge", "past it"],
)
def test_an_event_is_late_when_its_window_is_final_for_its_partition(
    log: Log, project: Project, version: PipelineVersion, past_the_edge_us: int, late: bool
) -> None:
    start = log.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    final_at = start + timedelta(seconds=10 + 60)
    log.set_watermarks(version, final_at + timedelta(microseconds=past_the_edge_us), [5])
    log.set_watermarks(version, start - timedelta(days=1), [one for one in ALL if one != 5])
    log.flush(project.pk, [Sent(start, value=7.5)], partition=5)
    drain_partitions(partitions=ALL)
    assert log.counted(version) == (0 if late else 1)
    rows = log.rows("SELECT version_id, window_start, value, partition_key, data->>'n' FROM late_event")
    assert rows == ([(version.pk, start, 7.5, "k", "1")] if late else [])


def test_two_workers_forced_on_the_same_partitions_fold_every_event_once(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    with log.connection.transaction():
        for n in range(400):
            log.flush(project.pk, [Sent(log.now(), key=f"k{n}")])
    start = threading.Barrier(4)
    failures: list[BaseException] = []

    def work() -> None:
        from processing.connections import close_worker_connections

        start.wait()
        try:
            for _ in range(10):
                drain_partitions(partitions=ALL)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)
        close_worker_connections()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (log.waiting(), log.counted(version)) == (0, 400)


def test_a_worker_that_comes_while_another_folds_the_partition_loses_it_nothing(
    log: Log, project: Project, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both would add to the same row of window_state, each to what it had read."""
    moment, folding, go_on = log.now(), threading.Event(), threading.Event()

    def wait_and_save(*found: Any) -> None:
        if threading.current_thread() is first:
            folding.set()
            go_on.wait(10)
        save(*found)

    def work() -> None:
        drain_partitions(partitions=[7])
        close_worker_connections()

    monkeypatch.setattr(draining, "save", wait_and_save)
    log.flush(project.pk, [Sent(moment)], partition=7)
    first = threading.Thread(target=work)
    first.start()
    assert folding.wait(10)
    log.flush(project.pk, [Sent(moment)], partition=7)
    assert drain_partitions(partitions=[7]).segments == 0
    go_on.set()
    first.join()
    drain_partitions(partitions=[7])
    assert log.counted(version) == 2


def test_it_leaves_a_partition_to_the_worker_that_has_it(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    log.flush(project.pk, [Sent(log.now())], partition=2)
    log.flush(project.pk, [Sent(log.now())], partition=6)
    with log.connection.transaction():
        log.execute("SELECT FROM partition_progress WHERE partition = 2 FOR UPDATE")
        drained = drain_partitions(partitions=ALL)
    assert drained.segments == 1
    assert log.rows("SELECT partition FROM event_segment") == [(2,)]


def test_per_key_order_is_arrival_order(log: Log, project: Project, version: PipelineVersion) -> None:
    """Segments of one partition are taken by id, however many a drain takes."""
    ids = [log.flush(project.pk, [Sent(log.now())], partition=0)[0] for _ in range(5)]

    connection = worker_connection("default")
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        storage.hold(cursor, partitions=[0])
        taken, _ = storage.take_segments(cursor, partitions=[0], count=3, bytes_each=1 << 20)
    assert [segment.id for segment in taken] == ids[:3]
