"""The ingest process dies at any moment; what it acknowledged is stored once, what it did not is stored once later."""

import asyncio
import random
import signal
import socket

import pytest

from tests.chaos.oracle import require_counts_match, require_exactly_once
from tests.support.databases import ScratchDatabase
from tests.support.http import Answer, connect, post_message
from tests.support.ledger import Ledger
from tests.support.load import Load
from tests.support.stack import Seeded, Serving, Stack
from tests.support.waiting import wait_for

IN_FLIGHT = 8
WAITS = """
SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = database
               WHERE NOT granted AND datname = current_database())
"""


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=[pytest.mark.proof, pytest.mark.timeout(600)])])
def test_what_was_acknowledged_is_stored_once_however_often_ingest_is_killed(
    kills: int,
    stack: Stack,
    project: Seeded,
    ledger: Ledger,
    chance: random.Random,
    database: ScratchDatabase,
    seed: int,
) -> None:
    serving = stack.start_ingest()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        for _ in range(kills):
            load.wait_for_acknowledged(chance.randint(100, 1500))
            serving.process.kill()
            serving = stack.start_ingest(serving.port)
        load.wait_for_acknowledged(300)
        load.settle()
    assert load.seen.lost > 0, "no answer was ever lost, so the kills showed nothing"
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)


@pytest.mark.parametrize("place", ["ingest.before_commit", "ingest.after_commit"])
def test_a_kill_right_beside_commit_stores_the_flush_once_after_the_retry(
    place: str, stack: Stack, project: Seeded, ledger: Ledger, database: ScratchDatabase, seed: int
) -> None:
    serving = stack.start_ingest(STREAMGAUGE_FAILPOINT=f"{place}:20")
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        assert serving.process.wait_until_dead() == -signal.SIGKILL
        serving = stack.start_ingest(serving.port)
        load.wait_for_acknowledged(300)
        load.settle()
    assert load.seen.lost > 0
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)


def test_a_polite_stop_answers_every_request_in_flight(
    stack: Stack, project: Seeded, database: ScratchDatabase
) -> None:
    serving = stack.start_ingest()
    answers = asyncio.run(_stop_with_requests_in_flight(serving, project, database))
    assert [answer.status for answer in answers] == [200] * IN_FLIGHT
    stored = database.value("SELECT count(*) FROM event WHERE project_id = %s", (project.project_id,))
    assert stored == IN_FLIGHT
    assert serving.process.wait_until_dead() in (0, -signal.SIGTERM)


async def _stop_with_requests_in_flight(
    serving: Serving, project: Seeded, database: ScratchDatabase
) -> list[Answer]:
    """The database is blocked, so that none can be answered before the stop."""
    good = post_message(b'{"type": "in.flight"}', key=project.ingest_key)
    bad = post_message(b"{", key=project.ingest_key)
    with database.connect() as blocker:
        with blocker.transaction():
            blocker.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
            requests = [asyncio.create_task(_send(serving.port, good)) for _ in range(IN_FLIGHT)]
            await asyncio.sleep(0)
            await asyncio.to_thread(
                wait_for, lambda: database.value(WAITS), seconds=5, what="the writer to wait"
            )
            assert (await _send(serving.port, bad)).status == 400  # so those before it have been read
            serving.process.signal_one(signal.SIGTERM)
            await asyncio.to_thread(
                wait_for, lambda: _refuses(serving.port), seconds=5, what="the stop to begin"
            )
        return await asyncio.gather(*requests)


async def _send(port: int, message: bytes) -> Answer:
    connection = await connect(port)
    try:
        return await connection.request(message)
    finally:
        connection.close()


def _refuses(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
