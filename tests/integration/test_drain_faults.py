"""Workers that die, freeze or meet an event they cannot fold."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
from django.db import connections

from accounts.models import Project
from processing import draining, folding, storage
from processing.connections import worker_connection
from processing.draining import drain_partitions
from processing.models import PipelineVersion
from processing.pipeline import Fold, Router, SourceSegment, fold_segment
from processing.storage import MAX_ATTEMPTS
from tests.support.databases import server_url, with_database
from tests.support.processes import Process, child_environment
from tests.support.waiting import wait_for
from tests.support.windows import ALL, Log, Sent, deploy

pytestmark = pytest.mark.django_db(transaction=True)
POISON = -666.0


@contextmanager
def drainer(tmp_path: Path, *how: str, **environment: str) -> Iterator[Process]:
    """A worker on the test database. In ingest mode the server ends a frozen transaction after 5 s, not 20 s."""
    urls = {
        "STREAMGAUGE_DATABASE_URL": with_database(server_url(), connections["default"].settings_dict["NAME"]),
        "STREAMGAUGE_MODE": "worker",
        **environment,
    }
    command = [sys.executable, "-m", "tests.support.drainer", *how]
    process = Process(command, environment=child_environment(urls), log=tmp_path / "drainer.log")
    try:
        yield process
    finally:
        process.stop()


def drain_all(log: Log) -> None:
    """Until the leases of dead workers have ended, and nothing waits."""
    wait_for(
        lambda: drain_partitions(partitions=ALL) and not log.waiting(),
        seconds=20,
        what="the log to be drained",
    )


def test_what_another_worker_has_begun_is_left_to_it_until_its_lease_ends(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    log.flush(project.pk, [Sent(log.now())], partition=5)
    begun = (
        "UPDATE partition_progress SET attempts = 1, worker = 'other', attempted_at = %s WHERE partition = 5"
    )
    log.execute(begun, log.now())
    assert drain_partitions(partitions=ALL).segments == 0
    assert log.progress(5)["attempts"] == 1
    log.execute(begun, log.now() - storage.LEASE)
    assert drain_partitions(partitions=ALL).segments == 1


def test_a_worker_killed_before_its_commit_has_done_nothing(
    log: Log, project: Project, version: PipelineVersion, tmp_path: Path
) -> None:
    log.flush(project.pk, [Sent(log.now(), key=f"k{n}") for n in range(100)])
    segments = log.waiting()
    with drainer(tmp_path, "die", "1") as worker:
        assert worker.wait_until_dead() == 0
    assert (log.waiting(), log.counted(version)) == (segments, 0)
    assert log.value("SELECT max(attempts) FROM partition_progress") == 1
    drain_all(log)
    assert log.counted(version) == 100


def test_workers_killed_at_random_fold_every_event_once(
    log: Log, project: Project, version: PipelineVersion, tmp_path: Path
) -> None:
    random = Random(2)
    sent = 0
    with drainer(tmp_path, "loop") as worker:
        for _ in range(12):
            [child] = wait_for(worker.descendants, seconds=20, what="a child to drain")
            for _ in range(random.randrange(5, 20)):
                log.flush(project.pk, [Sent(log.now(), key=f"k{n}") for n in range(40)])
                sent += 40
            worker.signal_one(signal.SIGKILL, child)
            wait_for(lambda: child not in worker.descendants(), seconds=20, what="the child to be gone")  # noqa: B023
        wait_for(lambda: log.waiting() == 0, seconds=30, what="the last child to drain")
    assert log.counted(version) == sent
    assert log.rows("SELECT * FROM poison_segment") == []


def test_a_frozen_worker_loses_its_partitions_and_cannot_fold_twice(
    log: Log, project: Project, version: PipelineVersion, tmp_path: Path
) -> None:
    log.flush(project.pk, [Sent(log.now(), key=f"k{n}") for n in range(100)])
    with drainer(tmp_path, "stop", STREAMGAUGE_MODE="ingest") as worker:
        wait_for(
            lambda: psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED,
            seconds=20,
            what="it to freeze",
        )
        assert log.counted(version) == 0
        wait_for(
            lambda: drain_partitions(partitions=ALL).events and not log.waiting(),
            seconds=20,
            what="its locks to be free",
        )
        assert log.counted(version) == 100
        worker.signal_one(signal.SIGCONT)
        assert worker.wait_until_dead() == 1
    assert "idle-in-transaction timeout" in worker.log.read_text()
    assert (log.waiting(), log.counted(version)) == (0, 100)


def test_a_worker_connection_lets_go_of_its_locks_when_its_process_freezes(log: Log) -> None:
    connection = worker_connection("default")
    shown = [
        connection.execute(f"SHOW {name}".encode()).fetchone()
        for name in ("idle_in_transaction_session_timeout", "lock_timeout")
    ]
    assert shown == [("20s",), ("2s",)]


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version's fold fails on events of value POISON; the version is the one with `types` of its own."""
    original = fold_segment

    def fail_on_poison(
        fold: Fold, segment: SourceSegment, router: Router, *, only: set[int] | None = None
    ) -> None:
        for event in segment.events:
            for plan in router.plans_for(event.project_id, event.type):
                chosen = only is None or plan.version_id in only
                if chosen and plan.lateness_us == 0 and event.value == POISON:
                    raise ZeroDivisionError("poison")
        original(fold, segment, router, only=only)

    monkeypatch.setattr(folding, "fold_segment", fail_on_poison)


@pytest.mark.usefixtures("poison")
def test_only_the_pipeline_and_the_segment_that_fail_are_set_aside(log: Log, project: Project) -> None:
    fragile, sturdy = deploy(project, name="fragile", lateness=0), deploy(project, name="sturdy")
    for value in (1.0, 2.0, POISON, 3.0):
        log.flush(project.pk, [Sent(log.now(), value=value), Sent(log.now())], partition=5)
    log.flush(project.pk, [Sent(log.now())], partition=6)
    bad = log.rows("SELECT id FROM event_segment WHERE partition = 5 ORDER BY id")[2][0]
    drained = drain_partitions(partitions=ALL)
    assert [type(error) for error in drained.failures] == [ZeroDivisionError] * 2 * MAX_ATTEMPTS
    assert log.waiting() == 0
    assert (log.counted(fragile), log.counted(sturdy)) == (7, 9)
    rows = log.rows("SELECT version_id, segment_id, partition, events, error FROM poison_segment")
    assert [row[:4] for row in rows] == [(fragile.pk, bad, 5, 2)]
    assert 'raise ZeroDivisionError("poison")' in rows[0][4]
    progress = log.progress(5)
    assert (progress["attempts"], progress["stage"], progress["isolate_through"]) == (0, 0, None)


@pytest.mark.usefixtures("poison")
def test_a_poisoned_partition_fails_no_other(
    log: Log, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []
    original = storage.take_segments

    def take_segments(cursor: Any, *, partitions: list[int], **limits: int) -> Any:
        together.append(len(partitions))
        return original(cursor, partitions=partitions, **limits)

    monkeypatch.setattr(storage, "take_segments", take_segments)
    deploy(project, name="fragile", lateness=0)
    log.flush(project.pk, [Sent(log.now(), value=POISON)], partition=5)
    for partition in (4, 6):
        log.flush(project.pk, [Sent(log.now())], partition=partition)
    drain_partitions(partitions=ALL)
    assert log.rows("SELECT DISTINCT partition FROM window_state ORDER BY 1") == [(4,), (6,)]
    assert together == [3] + [1] * (len(together) - 1)


def test_a_segment_that_cannot_be_read_is_set_aside_for_every_version(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    other = deploy(project, name="other")
    log.flush(project.pk, [Sent(log.now())], partition=5, payload=b"\xc1 damaged")
    log.flush(project.pk, [Sent(log.now())], partition=5)
    drain_partitions(partitions=ALL)
    assert log.rows("SELECT version_id FROM poison_segment ORDER BY 1") == [(version.pk,), (other.pk,)]
    assert (log.waiting(), log.counted(version), log.counted(other)) == (0, 1, 1)


def test_a_segment_that_kills_its_worker_is_found_and_set_aside(
    log: Log, project: Project, version: PipelineVersion, tmp_path: Path
) -> None:
    """Each worker dies before its commit, as if by the segment; nothing but the noted attempts tells the next."""
    log.flush(project.pk, [Sent(log.now())], partition=5)
    with drainer(tmp_path, "die", str(3 * MAX_ATTEMPTS)) as worker:
        assert worker.wait_until_dead() == 0
    log.flush(project.pk, [Sent(log.now())], partition=5)
    drain_all(log)
    assert log.rows("SELECT version_id, attempts FROM poison_segment") == [(version.pk, MAX_ATTEMPTS)]
    assert log.counted(version) == 1


def test_a_drain_that_takes_too_long_is_tried_with_less(
    log: Log, project: Project, version: PipelineVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "TRANSACTION_SECONDS", -1.0)
    for _ in range(3):
        log.flush(project.pk, [Sent(log.now())], partition=5)
    drained = drain_partitions(partitions=ALL)
    assert len(drained.failures) == MAX_ATTEMPTS
    assert (log.waiting(), log.counted(version)) == (0, 3)


def test_a_head_that_one_version_has_folded_is_not_folded_again_with_others(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    """A worker may have set out to fold many when another began to fold version by version."""
    other = deploy(project, name="other")
    [segment] = log.flush(project.pk, [Sent(log.now())], partition=5)
    log.execute(
        "UPDATE partition_progress SET head_segment = %s, head_done = ARRAY[%s]::bigint[] WHERE partition = 5",
        segment, version.pk,
    )  # fmt: skip
    drain_partitions(partitions=ALL)
    assert (log.counted(version), log.counted(other), log.waiting()) == (0, 1, 0)
