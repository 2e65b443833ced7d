"""A process frozen with SIGSTOP in the middle of a transaction must not hold its locks for ever."""

import signal

import pytest

from tests.chaos.oracle import require_counts_match, require_exactly_once, require_windows_match
from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger
from tests.support.load import Load
from tests.support.processes import Process
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

# Advisory locks of a transaction that waits for its client: the frozen flush, holding EPOCH.
HELD = """
SELECT EXISTS (
    SELECT FROM pg_locks JOIN pg_stat_activity AS activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND activity.datname = current_database()
      AND activity.state = 'idle in transaction' AND activity.application_name = %s
)
"""
PARTITION_HELD = """
SELECT EXISTS (
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
      AND application_name = %s AND backend_xid IS NOT NULL
)
"""


def test_a_frozen_ingest_process_lets_go_of_its_locks(
    stack: Stack, project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    serving = stack.start_ingest()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        load.wait_for_acknowledged(300)
        wait_for(
            lambda: _freeze_inside(serving.process, database, HELD, "streamgauge-ingest"),
            seconds=30,
            what="a flush to be frozen in its transaction",
            every=0.001,
        )
        wait_for(
            lambda: _epoch_is_free(database), seconds=15, what="EPOCH to be let go by the frozen process"
        )
        serving.process.signal_group(signal.SIGCONT)
        load.wait_for_acknowledged(300)
        load.settle()
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_a_worker_frozen_past_its_lock_neither_holds_up_nor_doubles_anything(
    stack: Stack, windowed_project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    project = windowed_project
    serving, frozen = stack.start_ingest(), stack.start_worker()
    stack.start_beat()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        load.wait_for_acknowledged(500)
        wait_for(
            lambda: _freeze_inside(frozen, database, PARTITION_HELD, "streamgauge-worker"),
            seconds=60,
            what="a drain to be frozen in its transaction",
            every=0.001,
        )
        stack.start_worker()
        load.wait_for_acknowledged(500)
        load.settle()
        require_windows_match(database, project.project_id)  # while it is still frozen
    frozen.signal_group(signal.SIGCONT)
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed + 1) as load:
        load.wait_for_acknowledged(500)
        load.settle()
    require_exactly_once(database, project.project_id, ledger)
    require_windows_match(database, project.project_id)


def _freeze_inside(process: Process, database: ScratchDatabase, held: str, name: str) -> bool:
    """Freeze it, and let it go on unless that was in the middle of a transaction."""
    process.signal_group(signal.SIGSTOP)
    if database.value(held, (name,)):
        return True
    process.signal_group(signal.SIGCONT)
    return False


def _epoch_is_free(database: ScratchDatabase) -> bool:
    free: bool = database.value("SELECT pg_try_advisory_xact_lock(7238001)")
    return free
