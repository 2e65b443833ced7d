"""More than the database takes: the queue is bounded, says so with 503 and Retry-After, and recovers."""

from tests.chaos.oracle import require_counts_match, require_exactly_once
from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger
from tests.support.load import Load, Mix
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

FLOOD = Mix(senders=60, smallest=400, largest=800, without_ids=0.0, bad=0.0, repeated=0.0, pause_seconds=0.0)


def test_a_full_queue_answers_503_with_retry_after_and_then_recovers(
    stack: Stack, project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    serving = stack.start_ingest()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed, mix=FLOOD) as load:
        load.wait_for_acknowledged(1000)
        with database.connect() as blocker, blocker.transaction():
            blocker.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
            wait_for(
                lambda: load.seen.answers.get(503), seconds=30, what="a 503 while the database is blocked"
            )
        load.wait_for_acknowledged(1000)
        load.settle()
    assert all(float(seconds) > 0 for seconds in load.seen.retry_after)
    assert serving.process.running
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)
