"""The connection to PostgreSQL goes at the worst moment: after COMMIT was carried out, before its answer came."""

from tests.chaos.oracle import require_counts_match, require_exactly_once
from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger
from tests.support.load import Load, Mix
from tests.support.proxy import LossyProxy
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

# Without ids only the flush's own id can tell that it had committed.
NO_IDS = Mix(without_ids=1.0, repeated=0.0)


def test_a_flush_whose_commit_was_not_answered_is_stored_once_and_answered_rightly(
    stack: Stack, project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    with LossyProxy(database.url) as proxy:
        serving = stack.start_ingest(STREAMGAUGE_DATABASE_URL=proxy.url)
        with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed, mix=NO_IDS) as load:
            for _ in range(5):
                load.wait_for_acknowledged(200)
                goal = proxy.lost + 1
                proxy.lose_answers(1)
                wait_for(lambda goal=goal: proxy.lost == goal, seconds=10, what="a COMMIT to lose its answer")  # type: ignore[misc]
            load.wait_for_acknowledged(200)
            load.settle()
        serving.process.stop()
    assert ledger.count("unknown") == 0, "a lost COMMIT is settled by the server, not left to the client"
    stored = database.value("SELECT count(*) FROM event WHERE project_id = %s", (project.project_id,))
    assert (load.seen.accepted, load.seen.duplicates) == (stored, 0), "a settled flush has its own verdicts"
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)


def test_every_retry_may_lose_its_answer_too(
    stack: Stack, project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    with LossyProxy(database.url) as proxy:
        serving = stack.start_ingest(STREAMGAUGE_DATABASE_URL=proxy.url)
        with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
            load.wait_for_acknowledged(200)
            proxy.lose_answers(4)
            wait_for(lambda: proxy.lost == 4, seconds=20, what="four lost answers in a row")
            load.wait_for_acknowledged(200)
            load.settle()
        serving.process.stop()
    require_exactly_once(database, project.project_id, ledger)


def test_every_connection_cut_by_the_server_ends_in_exactly_once(
    stack: Stack, project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    serving = stack.start_ingest()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        for _ in range(5):
            load.wait_for_acknowledged(200)
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name LIKE 'streamgauge-%%' "
                "AND pid <> pg_backend_pid()"
            )
        load.wait_for_acknowledged(200)
        load.settle()
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)
