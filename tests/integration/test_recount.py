"""The oracle: windows against raw events. Each test that expects a difference is a mutant that it must catch."""

from datetime import datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Project
from processing.draining import drain_partitions
from processing.errors import NotRecountable
from processing.models import PipelineVersion
from processing.recounting import Recount, recount
from processing.services import close_windows, pause_pipeline
from tests.support.windows import ALL, Log, Sent, deploy, make_project

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = timedelta(seconds=10)


@pytest.fixture
def closed(log: Log, project: Project, version: PipelineVersion, start: datetime) -> PipelineVersion:
    """Two windows of two types, closed, from events of every partition."""
    kinds = [("a", 0), ("b", 0), ("a", 10)]
    events = [
        Sent(start + timedelta(seconds=at), value=n / 7, kind=kind, key=f"k{n}")
        for kind, at in kinds
        for n in range(40)
    ]
    log.flush(project.pk, events)
    drain_partitions(partitions=ALL)
    close(log, version, start + 2 * SIZE)
    return version


def close(log: Log, version: PipelineVersion, watermark: datetime) -> None:
    log.set_watermarks(version, watermark)
    close_windows(version_id=version.pk)


def counted(version: PipelineVersion, start: datetime) -> Recount:
    return recount(pipeline=version.pipeline, start=start, end=start + timedelta(hours=1))


def test_windows_that_are_right_show_no_difference(closed: PipelineVersion, start: datetime) -> None:
    found = counted(closed, start)
    assert (found.windows, found.events, found.differences) == (3, 120, [])


@pytest.mark.parametrize(
    "mutant",
    [
        "UPDATE window_result SET count = count + 1 WHERE group_key = 'b'",
        "UPDATE window_result SET sum = sum * (1 + 1e-8) WHERE group_key = 'b'",
        "UPDATE window_result SET sum = NULL WHERE group_key = 'b'",
        "UPDATE window_result SET min = -1 WHERE group_key = 'b'",
        "UPDATE window_result SET max = max + 1e-9 WHERE group_key = 'b'",
        "DELETE FROM window_result WHERE group_key = 'b'",
        "DELETE FROM event WHERE type = 'b'",
        "DELETE FROM event WHERE type = 'b' AND partition_key = 'k7'",
        "UPDATE event SET type = 'c' WHERE type = 'b' AND partition_key = 'k7'",
    ],
)
def test_it_sees_one_wrong_number(log: Log, closed: PipelineVersion, start: datetime, mutant: str) -> None:
    log.execute(mutant)
    assert {one.group_key for one in counted(closed, start).differences} - {"c"} == {"b"}


def test_the_last_revision_counts(
    log: Log, project: Project, closed: PipelineVersion, start: datetime
) -> None:
    log.flush(project.pk, [Sent(start, kind="a")])
    drain_partitions(partitions=ALL)
    close_windows(version_id=closed.pk)
    assert counted(closed, start).differences == []
    log.execute("DELETE FROM window_result WHERE revision = 2")
    assert len(counted(closed, start).differences) == 1


def test_what_waits_for_a_worker_or_a_closer_is_no_difference(
    log: Log, project: Project, closed: PipelineVersion, start: datetime
) -> None:
    log.flush(project.pk, [Sent(start, kind="a")])
    assert counted(closed, start).differences == []
    drain_partitions(partitions=ALL)
    assert counted(closed, start).differences == []
    log.execute("DELETE FROM window_grown")
    assert len(counted(closed, start).differences) == 1


def test_late_events_are_left_out(
    log: Log, project: Project, closed: PipelineVersion, start: datetime
) -> None:
    close(log, closed, start + timedelta(minutes=30))
    log.flush(project.pk, [Sent(start, kind="a")])
    drain_partitions(partitions=ALL)
    assert counted(closed, start).differences == []
    log.execute("DELETE FROM late_event")
    assert len(counted(closed, start).differences) == 1


def test_poison_is_left_out(log: Log, project: Project, closed: PipelineVersion, start: datetime) -> None:
    log.flush(project.pk, [Sent(start, kind="a"), Sent(start, kind="b")], partition=1)
    log.execute(
        "INSERT INTO poison_segment (project_id, pipeline_id, version_id, partition, segment_id, flush_id, ordinal,"
        " received_at, events, payload, error, attempts) SELECT %s, 1, %s, partition, id, flush_id, ordinal,"
        " received_at, events, payload, 'x', 3 FROM event_segment",
        project.pk, closed.pk,
    )  # fmt: skip
    log.execute("DELETE FROM event_segment")
    assert counted(closed, start).differences == []
    log.execute("DELETE FROM poison_segment")
    assert len(counted(closed, start).differences) == 2


def test_poison_that_cannot_be_read_makes_it_not_recountable(
    log: Log, project: Project, closed: PipelineVersion, start: datetime
) -> None:
    log.flush(project.pk, [Sent(start)], partition=1, payload=b"\xc1")
    with pytest.raises(NotRecountable, match="cannot be read"):
        counted(closed, start)


def test_only_what_was_received_while_the_version_was_live_is_expected(
    log: Log, project: Project, closed: PipelineVersion, start: datetime
) -> None:
    pause_pipeline(pipeline=closed.pipeline)
    log.flush(project.pk, [Sent(start, kind="a")])
    assert closed.effective_from is not None
    log.flush(project.pk, [Sent(start, kind="a")], received_at=closed.effective_from)
    drain_partitions(partitions=ALL)
    assert counted(closed, start).differences == []


def test_globs_are_read_as_globs(log: Log, project: Project, start: datetime) -> None:
    version = deploy(project, types=["a_?", "b.*"])
    log.flush(project.pk, [Sent(start, kind=kind) for kind in ("a_b", "axb", "a_", "b.c", "bxc", "b.")])
    drain_partitions(partitions=ALL)
    close(log, version, start + SIZE)
    found = counted(version, start)
    assert (found.windows, found.differences) == (3, [])


def test_windows_outside_the_range_or_still_open_are_not_compared(
    log: Log, project: Project, closed: PipelineVersion, start: datetime
) -> None:
    log.flush(project.pk, [Sent(start + timedelta(minutes=5))])
    drain_partitions(partitions=ALL)
    assert counted(closed, start).windows == 3
    assert (
        recount(pipeline=closed.pipeline, start=start + timedelta(seconds=1), end=start + SIZE).windows == 0
    )


def test_sums_that_cancel_out_are_judged_by_their_magnitude(
    log: Log, project: Project, start: datetime
) -> None:
    version = deploy(project)
    values = [1e15, 0.1, -1e15, 1e-3, 3e14, -3e14]
    log.flush(project.pk, [Sent(start, value=value, key=f"k{value}") for value in values])
    drain_partitions(partitions=ALL)
    close(log, version, start + SIZE)
    assert counted(version, start).differences == []


def test_it_refuses_a_range_whose_raw_events_are_gone(closed: PipelineVersion, log: Log) -> None:
    with pytest.raises(NotRecountable, match="start there or later"):
        recount(pipeline=closed.pipeline, start=log.now() - timedelta(days=91), end=log.now())


def run(version: PipelineVersion, start: datetime, *more: str) -> str:
    out = StringIO()
    call_command(
        "recount", "--pipeline", version.pipeline.name, "--from", start.isoformat(),
        "--to", (start + timedelta(hours=1)).isoformat(), *more, stdout=out,
    )  # fmt: skip
    return out.getvalue()


def test_the_command_says_what_it_compared(closed: PipelineVersion, start: datetime) -> None:
    assert run(closed, start) == "3 windows, 120 events, 0 differences.\n"


def test_the_command_exits_with_1_on_a_difference(log: Log, closed: PipelineVersion, start: datetime) -> None:
    log.execute("UPDATE window_result SET count = 7 WHERE group_key = 'b'")
    with pytest.raises(CommandError, match="1 differences") as caught:
        run(closed, start)
    assert caught.value.returncode == 1


def test_the_command_exits_with_2_when_it_cannot_tell(closed: PipelineVersion, start: datetime) -> None:
    with pytest.raises(CommandError, match="Not recountable") as caught:
        run(closed, start - timedelta(days=100))
    assert caught.value.returncode == 2


def test_the_command_asks_which_project_when_there_are_several(
    closed: PipelineVersion, start: datetime
) -> None:
    deploy(make_project())
    with pytest.raises(CommandError, match="--project") as caught:
        run(closed, start)
    assert caught.value.returncode == 2
    assert "0 differences" in run(closed, start, "--project", closed.pipeline.project.slug)
