"""Workers die while they fold: every closed window equals a recount all the same."""

import random
import signal

import pytest

from provisioning.processes import WORKER_PROCESSES
from tests.chaos.oracle import require_counts_match, require_exactly_once, require_windows_match
from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger
from tests.support.load import Load, Mix
from tests.support.processes import Process
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

# After some deaths in a row the log is folded segment by segment: not too many of them, or it takes minutes.
MODEST = Mix(senders=2, smallest=40, pause_seconds=0.05)
GENTLE = Mix(senders=1, smallest=40, pause_seconds=0.2)


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=[pytest.mark.proof, pytest.mark.timeout(900)])])
def test_closed_windows_equal_a_recount_however_often_workers_are_killed(
    kills: int,
    stack: Stack,
    windowed_project: Seeded,
    ledger: Ledger,
    chance: random.Random,
    database: ScratchDatabase,
    seed: int,
) -> None:
    project = windowed_project
    serving = stack.start_ingest()
    worker = stack.start_worker()
    stack.start_beat()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed, mix=MODEST) as load:
        for number in range(kills):
            load.wait_for_acknowledged(chance.randint(200, 1500))
            wait_for(worker.descendants, seconds=30, what="the worker's children")
            if number % 2:
                _kill_child(worker, chance)
            else:
                worker.kill()
            if not worker.running:
                worker = stack.start_worker()
        load.wait_for_acknowledged(500)
        load.settle()
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)
    require_windows_match(database, project.project_id)


def test_a_worker_that_dies_between_folding_and_commit_counts_nothing_twice(
    stack: Stack, windowed_project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    project = windowed_project
    serving = stack.start_ingest()
    worker = stack.start_worker(STREAMGAUGE_FAILPOINT="drain_before_commit:3")
    stack.start_beat()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed, mix=GENTLE) as load:
        seen: set[int] = set()
        wait_for(lambda: _deaths(worker, seen) >= 3, seconds=60, what="three of the worker's children to die")
        load.settle()
    worker.kill()
    stack.start_worker()
    require_windows_match(database, project.project_id)


def _kill_child(worker: Process, chance: random.Random) -> None:
    """A child that dies while the pool starts ends its parent, which a supervisor would start again."""
    worker.signal_one(signal.SIGKILL, chance.choice(worker.descendants()))
    wait_for(
        lambda: not worker.running or len(worker.descendants()) >= WORKER_PROCESSES,
        seconds=30,
        what="the worker to replace its child, or to end",
    )


def _deaths(worker: Process, seen: set[int]) -> int:
    """How many children have come and gone."""
    now = set(worker.descendants())
    seen |= now
    return len(seen - now)
