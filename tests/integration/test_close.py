"""Windows closed, revised and finished, whoever else is at work."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from accounts.models import Project
from processing import closing, idleness
from processing.closing import close_windows
from processing.connections import close_worker_connections
from processing.draining import drain_partitions
from processing.models import PipelineVersion
from processing.signals import windows_changed
from processing.sweeping import close_due, sweep
from tests.support.windows import ALL, Log, Sent, deploy, fold, recount_all

pytestmark = pytest.mark.django_db(transaction=True)
SIZE, LATENESS = timedelta(seconds=10), timedelta(seconds=60)


def test_a_window_closes_when_every_partitions_watermark_has_passed_its_end(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, *[Sent(start, value=float(n), key=f"k{n}") for n in range(100)])
    log.set_watermarks(version, start + SIZE)
    log.set_watermarks(version, start + SIZE - timedelta(microseconds=1), [63])
    close_windows(version_id=version.pk)
    assert log.results(version) == []
    log.set_watermarks(version, start + SIZE, [63])
    close_windows(version_id=version.pk)
    assert log.results(version) == [("flight", start, 1, False, 100, 4950.0, 0.0, 99.0)]


def test_a_partition_without_a_watermark_holds_windows_open(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=0)
    log.set_watermarks(version, start + SIZE, [one for one in ALL if one != 63])
    close_windows(version_id=version.pk)
    assert log.results(version) == []


def test_closing_twice_writes_once(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start))
    log.set_watermarks(version, start + SIZE)
    assert [close_windows(version_id=version.pk).results for _ in range(2)] == [1, 0]


def test_groups_and_windows_without_values_close_too(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start, value=None), Sent(start, kind="b"), Sent(start + SIZE))
    log.set_watermarks(version, start + 2 * SIZE)
    close_windows(version_id=version.pk)
    assert log.results(version) == [
        ("b", start, 1, False, 1, 1.0, 1.0, 1.0),
        ("flight", start, 1, False, 1, None, None, None),
        ("flight", start + SIZE, 1, False, 1, 1.0, 1.0, 1.0),
    ]


def test_a_closed_window_that_grows_gets_a_revision(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), Sent(start, kind="other"), partition=1)
    log.set_watermarks(version, start + SIZE)
    close_windows(version_id=version.pk)
    fold(log, project, Sent(start, value=5.0), partition=2)
    fold(log, project, Sent(start, value=6.0), partition=3)
    close_due()
    assert [row[2:5] for row in log.results(version) if row[0] == "flight"] == [(1, False, 1), (2, False, 3)]
    assert [row[2:5] for row in log.results(version) if row[0] == "other"] == [(1, False, 1)]
    assert log.rows("SELECT * FROM window_grown") == []


def test_a_group_that_first_shows_after_the_close_gets_a_first_revision(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    log.set_watermarks(version, start + SIZE)
    close_windows(version_id=version.pk)
    fold(log, project, Sent(start, kind="new"), partition=1)
    close_windows(version_id=version.pk)
    assert [row[:5] for row in log.results(version)] == [
        ("flight", start, 1, False, 1),
        ("new", start, 1, False, 1),
    ]


def test_a_window_is_final_when_the_lateness_is_over_and_its_state_goes(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start))
    final_at = start + SIZE + LATENESS
    log.set_watermarks(version, final_at - timedelta(microseconds=1))
    close_windows(version_id=version.pk)
    assert [row[2:4] for row in log.results(version)] == [(1, False)]
    fold(log, project, Sent(start))
    log.set_watermarks(version, final_at)
    close_due()
    assert [row[2:5] for row in log.results(version)] == [(1, False, 1), (2, True, 2)]
    assert log.rows("SELECT * FROM window_state") == []
    fold(log, project, Sent(start))
    close_due()
    assert log.value("SELECT count(*) FROM late_event") == 1
    assert len(log.results(version)) == 2


def test_a_window_begun_before_the_deploy_is_partial(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    assert version.effective_from is not None
    whole = version.effective_from + timedelta(minutes=5)
    fold(log, project, Sent(start), Sent(whole))
    log.set_watermarks(version, whole + SIZE)
    close_windows(version_id=version.pk)
    query = "SELECT partial FROM window_result WHERE version_id = %s ORDER BY window_start"
    assert log.rows(query, version.pk) == [(True,), (False,)]


def test_it_says_which_windows_changed_after_they_are_committed(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    heard: list[dict[str, Any]] = []

    def listen(**told: Any) -> None:
        heard.append({**told, "visible": len(log.results(version))})

    windows_changed.connect(listen)
    try:
        fold(log, project, Sent(start), Sent(start + SIZE))
        log.set_watermarks(version, start + 2 * SIZE)
        close_windows(version_id=version.pk)
        close_windows(version_id=version.pk)
    finally:
        windows_changed.disconnect(listen)
    [told] = heard
    assert (told["project_id"], told["pipeline_ids"]) == (project.pk, frozenset({version.pipeline_id}))
    assert (told["start"], told["end"], told["visible"]) == (start, start + 2 * SIZE, 2)


def test_another_closer_of_the_same_version_does_nothing(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start))
    log.set_watermarks(version, start + SIZE)
    with log.connection.transaction():
        log.execute("SELECT FROM deployment FOR UPDATE")
        assert close_windows(version_id=version.pk).results == 0
    assert close_windows(version_id=version.pk).results == 1


def test_a_closer_that_dies_before_its_commit_has_done_nothing(
    log: Log, project: Project, version: PipelineVersion, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(name: str) -> None:
        raise KeyboardInterrupt

    fold(log, project, Sent(start))
    log.set_watermarks(version, start + SIZE + LATENESS)
    with monkeypatch.context() as patched:
        patched.setattr(closing, "failpoint", die)
        with pytest.raises(KeyboardInterrupt):
            close_windows(version_id=version.pk)
    assert log.results(version) == []
    assert close_windows(version_id=version.pk).results == 1


def test_many_windows_close_batch_by_batch(
    log: Log, project: Project, version: PipelineVersion, start: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "BATCH", 3)
    fold(log, project, *[Sent(start + n * SIZE, key=f"k{k}") for n in range(10) for k in range(2)])
    log.set_watermarks(version, start + 10 * SIZE)
    assert close_windows(version_id=version.pk).more
    close_due()
    assert [row[4] for row in log.results(version)] == [2] * 10
    assert not close_windows(version_id=version.pk).more


def test_drains_and_closers_at_once_lose_nothing(log: Log, project: Project) -> None:
    """Out of order, late and new events against closers that run all the time, then a recount from raw events."""
    version = deploy(project, size=1, delay=0, lateness=2)
    random, done = Random(20), threading.Event()
    failures: list[BaseException] = []

    def repeat(work: Callable[[], object]) -> None:
        try:
            while not done.is_set():
                work()
        except BaseException as error:  # noqa: BLE001 - a thread's failure must fail the test
            failures.append(error)
        close_worker_connections()

    def close() -> None:
        idleness.advance_idle_partitions()
        close_windows(version_id=version.pk)

    jobs = [lambda: drain_partitions(partitions=ALL)] * 2 + [close]
    threads = [threading.Thread(target=repeat, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    ended = log.now() + timedelta(seconds=6)
    while log.now() < ended:
        now = log.now()
        behind = [random.choice([0, 0, 0.5, 1.5, 2.9, 3, 3.1, 5]) for _ in range(30)]
        log.flush(
            project.pk,
            [
                Sent(
                    now - timedelta(seconds=s), value=random.uniform(-9, 9), key=f"k{random.randrange(2000)}"
                )
                for s in behind
            ],
        )
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    log.set_watermarks(version, log.now())
    sweep()
    found = recount_all(version, log)
    assert found.differences == []
    assert found.windows >= 6
    assert log.value("SELECT count(*) FROM late_event") > 0
    assert log.value("SELECT max(revision) FROM window_result") > 1


def test_windows_are_aligned_to_1970(log: Log, project: Project) -> None:
    version = deploy(project, size=7)
    moment = log.now() - timedelta(hours=1)
    fold(log, project, Sent(moment))
    log.set_watermarks(version, log.now())
    close_windows(version_id=version.pk)
    [row] = log.results(version)
    assert (row[1] - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(seconds=7) == timedelta(0)
    assert row[1] <= moment < row[1] + timedelta(seconds=7)
