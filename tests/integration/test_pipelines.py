"""Deploying, pausing and resuming pipelines."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.urls import reverse

from accounts.models import Project
from events.epoch import EPOCH
from processing.draining import drain_partitions
from processing.errors import InvalidDefinition
from processing.models import Pipeline, PipelineVersion
from processing.selectors import lag, latest_windows
from processing.services import close_windows, ensure_default_pipelines, pause_pipeline, resume_pipeline
from tests.support.windows import ALL, Log, Sent, deploy, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def routes(log: Log, project: Project) -> list[str]:
    found = log.rows("SELECT pattern FROM event_route WHERE project_id = %s ORDER BY 1", project.pk)
    return [pattern for (pattern,) in found]


def test_a_deploy_tells_ingest_which_types_the_log_keeps(log: Log, project: Project) -> None:
    before = log.value("SELECT routing_version FROM ingest_epoch")
    deploy(project, name="one", types=["a.*", "b"])
    deploy(project, name="two", types=["b", "c"])
    deploy(make_project(), types=["other"])
    assert routes(log, project) == ["a.*", "b", "c"]
    assert log.value("SELECT routing_version FROM ingest_epoch") == before + 3


def test_it_counts_what_is_received_after_the_deploy(log: Log, project: Project) -> None:
    log.flush(project.pk, [Sent(log.now())])
    version = deploy(project)
    log.flush(project.pk, [Sent(log.now())])
    drain_partitions(partitions=ALL)
    assert log.counted(version) == 1


def test_a_new_version_takes_over_at_one_instant(log: Log, project: Project) -> None:
    first = deploy(project)
    log.flush(project.pk, [Sent(log.now())])
    second = deploy(project, size=60)
    log.flush(project.pk, [Sent(log.now()), Sent(log.now())])
    drain_partitions(partitions=ALL)
    assert (log.counted(first), log.counted(second)) == (1, 2)
    first.refresh_from_db()
    assert first.state == PipelineVersion.State.RETIRED
    assert first.effective_until == second.effective_from
    assert (first.number, second.number) == (1, 2)


def test_a_deploy_waits_for_flushes_that_are_open(log: Log, project: Project) -> None:
    """So every event is plainly before or after it."""
    pipeline = deploy(project).pipeline

    def pause() -> None:
        try:
            pause_pipeline(pipeline=pipeline)
        finally:
            connections.close_all()  # this thread's: left to garbage collection, it outlives the tests

    with log.connection.transaction():
        log.execute("SELECT pg_advisory_xact_lock_shared(%s)", EPOCH)
        pausing = threading.Thread(target=pause)
        pausing.start()
        pausing.join(0.5)
        assert pausing.is_alive()
        received_at = log.now()
    pausing.join(10)
    until = Log()
    assert until.value("SELECT effective_until FROM deployment") > received_at
    until.close()


def test_a_paused_pipeline_counts_what_came_before(log: Log, project: Project) -> None:
    version = deploy(project)
    log.flush(project.pk, [Sent(log.now())])
    pause_pipeline(pipeline=version.pipeline)
    log.flush(project.pk, [Sent(log.now())])
    drain_partitions(partitions=ALL)
    assert log.counted(version) == 1
    assert routes(log, project) == []
    assert not Pipeline.objects.get().enabled


def test_a_resumed_pipeline_goes_on_as_a_new_version(log: Log, project: Project) -> None:
    version = deploy(project, types=["flight"])
    pause_pipeline(pipeline=version.pipeline)
    resumed = resume_pipeline(pipeline=Pipeline.objects.get())
    log.flush(project.pk, [Sent(log.now())])
    drain_partitions(partitions=ALL)
    assert (resumed.number, resumed.definition) == (2, version.definition)
    assert (log.counted(version), log.counted(resumed)) == (0, 1)
    assert routes(log, project) == ["flight"]


def test_a_pipeline_that_was_never_deployed_cannot_be_resumed(project: Project) -> None:
    with pytest.raises(InvalidDefinition, match="deploy it first"):
        resume_pipeline(pipeline=Pipeline.objects.create(project=project, name="draft"))


def test_the_default_pipelines_are_deployed_once(log: Log, project: Project) -> None:
    for _ in range(2):
        call_command("demo_pipelines", "--project", project.slug, stdout=StringIO())
    found = Pipeline.objects.filter(project=project).order_by("name")
    assert [one.name for one in found] == ["events-by-type-10s", "events-by-type-1m"]
    assert PipelineVersion.objects.filter(pipeline__in=found).count() == 2
    assert routes(log, project) == ["*"]


def test_a_default_pipeline_that_was_paused_stays_paused(project: Project) -> None:
    pause_pipeline(pipeline=ensure_default_pipelines(project=project)[0])
    assert [one.enabled for one in ensure_default_pipelines(project=project)] == [False, True]


def test_the_command_names_a_project_that_is_not_there() -> None:
    with pytest.raises(CommandError, match="no project 'nowhere'"):
        call_command("demo_pipelines", "--project", "nowhere")


def test_latest_windows_are_the_last_revisions_newest_first(log: Log, project: Project) -> None:
    version = deploy(project)
    start = log.now().replace(second=0, microsecond=0) - timedelta(hours=1)
    for events in ([Sent(start), Sent(start + timedelta(seconds=10))], [Sent(start)]):
        log.flush(project.pk, events, partition=0)
        drain_partitions(partitions=ALL)
        log.set_watermarks(version, start + timedelta(seconds=30))
        close_windows(version_id=version.pk)
    found = latest_windows(project_id=project.pk, limit=5)
    assert [(one.pipeline, one.start, one.revision, one.count) for one in found] == [
        ("by-type", start + timedelta(seconds=10), 1, 1),
        ("by-type", start, 2, 2),
    ]
    assert latest_windows(project_id=make_project().pk) == []
    assert len(latest_windows(project_id=project.pk, limit=1)) == 1


def test_lag_is_the_age_of_the_oldest_segment(log: Log, project: Project) -> None:
    assert (lag().seconds, lag().events, lag().segments) == (0.0, 0, 0)
    log.flush(project.pk, [Sent(log.now()), Sent(log.now())], partition=3)
    log.flush(project.pk, [Sent(log.now())], partition=4, received_at=log.now() - timedelta(seconds=30))
    found = lag()
    assert 30 <= found.seconds < 60
    assert (found.events, found.segments) == (3, 2)
    assert [(one.partition, one.events, one.attempts) for one in found.partitions] == [(3, 2, 0), (4, 1, 0)]


def test_the_admin_lists_pauses_and_resumes_pipelines(admin_client: Client, project: Project) -> None:
    version = deploy(project)
    page = reverse("admin:processing_pipeline_changelist")
    assert b"by-type" in admin_client.get(page).content
    change = reverse("admin:processing_pipeline_change", args=[version.pipeline_id])
    assert b"tumbling" in admin_client.get(change).content
    for action, enabled in (("pause", False), ("resume", True)):
        chosen = {"action": action, "_selected_action": [version.pipeline_id]}
        assert admin_client.post(page, chosen).status_code == 302
        assert Pipeline.objects.get().enabled is enabled
    assert PipelineVersion.objects.count() == 2
