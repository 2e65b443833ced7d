"""A backlog after workers died again and again: no one of its segments is to blame."""

import pytest

from processing.connections import worker_connection
from processing.draining import SEGMENTS_EACH, drain_partitions
from processing.storage import MAX_ATTEMPTS, STAGE_SEGMENT, begin_attempt
from tests.support.waiting import wait_for
from tests.support.windows import Log, Sent, deploy, make_project

pytestmark = pytest.mark.django_db(transaction=True)
PARTITION = 7


def test_only_what_a_dead_worker_had_taken_is_tried_one_by_one(log: Log) -> None:
    project = make_project()
    version = deploy(project)
    segments = SEGMENTS_EACH + 50
    ids = [
        segment
        for _ in range(segments)
        for segment in log.flush(project.pk, [Sent(log.now())], partition=PARTITION)
    ]
    for _ in range(MAX_ATTEMPTS + 1):  # a worker that notes its attempt, and dies
        attempts = begin_attempt(
            worker_connection("default"),
            partitions=[PARTITION],
            limit=1,
            segments_each=SEGMENTS_EACH,
            worker="w",
        )
    assert [(one.partition, one.stage) for one in attempts] == [(PARTITION, STAGE_SEGMENT)]
    assert log.progress(PARTITION)["isolate_through"] == ids[SEGMENTS_EACH - 1]
    wait_for(  # the dead worker's lease ends first
        lambda: drain_partitions(partitions=[PARTITION], seconds=60) and not log.waiting(),
        seconds=60,
        what="the backlog to be worked off",
    )
    assert log.counted(version) == segments
    assert log.progress(PARTITION)["stage"] == 0
