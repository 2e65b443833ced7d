"""Redis holds hints only: emptied or frozen under load, nothing is lost, ingest goes on, the page recovers."""

import os
import signal
import time

import redis as client

from tests.chaos.oracle import require_counts_match, require_exactly_once, require_windows_match
from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger
from tests.support.load import Load
from tests.support.servers import OwnRedis
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for
from tests.support.watching import Watcher

MEASURED_SECONDS = 3.0
# Far from what is seen (about 1), because other work on the machine may take half of it at any moment.
LEAST_SHARE = 0.3
FOLDED = "SELECT count(*) FROM window_result WHERE project_id = %s"


def test_redis_emptied_and_frozen_under_load_slows_nothing_and_loses_nothing(
    stack: Stack,
    windowed_project: Seeded,
    redis: OwnRedis,
    ledger: Ledger,
    database: ScratchDatabase,
    seed: int,
) -> None:
    project = windowed_project
    serving, web = stack.start_ingest(), stack.start_web()
    stack.start_worker()
    stack.start_beat()
    with (
        Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load,
        Watcher(web.port, project) as watcher,
    ):
        load.wait_for_acknowledged(500)
        before = _acknowledged_in(MEASURED_SECONDS, ledger)
        _empty(redis)
        load.wait_for_acknowledged(300)
        results = database.value(FOLDED, (project.project_id,))
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            frozen = _acknowledged_in(MEASURED_SECONDS, ledger)
            shown = watcher.accepted
            wait_for(
                lambda: watcher.accepted > shown, seconds=20, what="the live page to go on without Redis"
            )
            wait_for(
                lambda: database.value(FOLDED, (project.project_id,)) > results,
                seconds=30,
                what="windows to be closed without Redis",
            )
        finally:
            os.kill(redis.pid, signal.SIGCONT)
        load.wait_for_acknowledged(300)
        load.settle()
        stored = database.value("SELECT count(*) FROM event WHERE project_id = %s", (project.project_id,))
        wait_for(lambda: watcher.accepted == stored, seconds=20, what=f"the live page to show {stored}")
    assert frozen >= LEAST_SHARE * before, f"{frozen} acknowledged while Redis was frozen, {before} before"
    assert set(load.seen.answers) <= {200, 207, 422}
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)
    require_windows_match(database, project.project_id)


def _acknowledged_in(seconds: float, ledger: Ledger) -> int:
    """A measurement, so it takes its time."""
    before = ledger.acknowledged
    time.sleep(seconds)
    return ledger.acknowledged - before


def _empty(redis: OwnRedis) -> None:
    with client.Redis.from_url(redis.url) as connection:
        connection.flushall()
