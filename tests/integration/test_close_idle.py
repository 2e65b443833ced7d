"""Windows that close without events to push their watermark: idle partitions, idle projects, paused pipelines."""

from datetime import datetime, timedelta

import pytest

from accounts.models import Project
from processing import idleness
from processing.models import PipelineVersion
from processing.services import pause_pipeline
from processing.sweeping import close_due, sweep
from tests.support.windows import Log, Sent, deploy, fold, make_project

pytestmark = pytest.mark.django_db(transaction=True)
SIZE, LATENESS = timedelta(seconds=10), timedelta(seconds=60)


def make_idle(log: Log, version: PipelineVersion, seconds: float = 11) -> None:
    """As if the version's last events were `seconds` ago, and its deploy a day."""
    log.execute(
        "UPDATE watermark SET event_at = clock_timestamp() - %s WHERE version_id = %s",
        timedelta(seconds=seconds), version.pk,
    )  # fmt: skip
    log.execute(
        "UPDATE deployment SET effective_from = effective_from - interval '1 day' WHERE version_id = %s",
        version.pk,
    )  # fmt: skip


def test_an_idle_partition_follows_the_highest_sibling(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    fold(log, project, Sent(start + SIZE + timedelta(seconds=5)), partition=2)
    make_idle(log, version)
    log.execute("UPDATE watermark SET event_at = clock_timestamp() WHERE partition = 2")
    sweep()
    assert log.rows("SELECT DISTINCT watermark FROM watermark") == [(start + SIZE,)]
    assert [row[:5] for row in log.results(version)] == [("flight", start, 1, False, 1)]


def test_a_partition_is_not_idle_before_ten_seconds(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    fold(log, project, Sent(start + SIZE + timedelta(seconds=5)), partition=2)
    make_idle(log, version, seconds=5)
    sweep()
    assert log.results(version) == []


def test_when_all_are_idle_windows_close_by_the_clock(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    """Also for a version of whose partitions most never had an event."""
    recent = log.now() - timedelta(seconds=20)
    fold(log, project, Sent(recent), partition=1)
    make_idle(log, version)
    sweep()
    assert [row[4] for row in log.results(version)] == [1]
    [(least, greatest)] = log.rows("SELECT min(watermark), max(watermark) FROM watermark")
    assert least == greatest
    assert timedelta(seconds=5) <= log.now() - greatest < timedelta(seconds=10)


def test_windows_close_when_watermark_rows_are_missing(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    make_idle(log, version)
    log.execute("DELETE FROM watermark WHERE partition <> 1")
    sweep()
    assert [row[4] for row in log.results(version)] == [1]


def test_a_backlog_is_not_idleness(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    """A partition whose events wait must not be taken for empty, or they would come late."""
    fold(log, project, Sent(start), Sent(start + 3 * SIZE), partition=1)
    log.flush(project.pk, [Sent(start)], partition=2, received_at=log.now() - timedelta(seconds=30))
    make_idle(log, version)
    idleness.advance_idle_partitions()
    assert log.value("SELECT watermark FROM watermark WHERE partition = 2") is None
    reached = start + 3 * SIZE - timedelta(seconds=5)
    assert log.rows("SELECT DISTINCT watermark FROM watermark WHERE partition <> 2") == [(reached,)]


def test_a_partition_busy_with_others_is_idle_for_a_version_without_events(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    make_idle(log, version)
    other = make_project()
    deploy(other)
    idleness.forget_looks()
    fold(log, other, *[Sent(log.now(), key=f"k{n}") for n in range(500)])
    close_due()
    assert [row[4] for row in log.results(version)] == [1]


def test_nothing_is_written_for_versions_that_nothing_waits_for(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    make_idle(log, version)
    sweep()
    assert log.value("SELECT max(watermark) FROM watermark") is None


def test_idle_watermarks_are_left_to_the_worker_that_has_the_partition(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    make_idle(log, version)
    with log.connection.transaction():
        log.execute("SELECT FROM partition_progress WHERE partition = 2 FOR UPDATE")
        idleness.advance_idle_partitions()
    assert log.rows("SELECT partition FROM watermark WHERE watermark IS NULL") == [(2,)]


def test_a_paused_version_closes_its_last_windows_and_is_finished(
    log: Log, project: Project, version: PipelineVersion, start: datetime
) -> None:
    fold(log, project, Sent(start), partition=1)
    pause_pipeline(pipeline=version.pipeline)
    make_idle(log, version)
    log.set_watermarks(version, start + SIZE + LATENESS)
    sweep()
    assert [row[2:5] for row in log.results(version)] == [(1, True, 1)]
    assert log.value("SELECT finished_at IS NOT NULL FROM deployment") is True


def test_what_waits_in_the_log_keeps_a_paused_version_from_being_finished(
    log: Log, project: Project, version: PipelineVersion
) -> None:
    log.flush(project.pk, [Sent(log.now())])
    pause_pipeline(pipeline=version.pipeline)
    close_due()
    assert log.value("SELECT finished_at IS NULL FROM deployment") is True
