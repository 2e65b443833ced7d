"""The ingest process restarts under open sockets: what was accepted is answered, what was not may be sent again."""

import random
import signal
from contextlib import ExitStack

import pytest

from tests.chaos.oracle import require_counts_match, require_exactly_once
from tests.support.databases import ScratchDatabase
from tests.support.ledger import Ledger
from tests.support.socket_load import SocketLoad
from tests.support.sockets import OuterSocket, outer_socket
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

WAITS = """
SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = database
               WHERE NOT granted AND datname = current_database())
"""


def test_a_polite_stop_answers_every_accepted_frame_and_then_closes_with_1012(
    stack: Stack, project: Seeded, database: ScratchDatabase
) -> None:
    serving = stack.start_ingest()
    with ExitStack() as opened:
        sockets = [opened.enter_context(outer_socket(serving.port, project.ingest_key)) for _ in range(4)]
        idle = opened.enter_context(outer_socket(serving.port, project.ingest_key))
        with database.connect() as blocker, blocker.transaction():
            blocker.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
            for socket in sockets:
                for _ in range(5):
                    socket.send({"type": "in.flight"}, {"type": "in.flight"})
                # Refused at once, but answered in its turn; and a ping that is answered says that all were read.
                socket.connection.ping().wait(timeout=10)
            wait_for(lambda: database.value(WAITS), seconds=10, what="the writer to wait")
            serving.process.signal_one(signal.SIGTERM)
            assert idle.close_code() == 1012, "who waits for nothing is closed at once"
        assert [answers(socket) for socket in sockets] == [(10, 1012)] * 4
    assert serving.process.wait_until_dead() in (0, -signal.SIGTERM)
    assert "Traceback" not in serving.process.tail()
    stored = database.value("SELECT count(*) FROM event WHERE project_id = %s", (project.project_id,))
    assert stored == 40


def answers(socket: OuterSocket) -> tuple[int, int]:
    """(events acknowledged, close code)."""
    accepted = sum(said["accepted"] for said in socket.acknowledged(5))
    return accepted, socket.close_code()


def test_a_stop_does_not_wait_for_a_client_that_does_not_read(stack: Stack, project: Seeded) -> None:
    serving = stack.start_ingest()
    with outer_socket(serving.port, project.ingest_key, max_queue=1) as socket:
        for _ in range(200):  # each answered with some kilobytes that nobody reads
            socket.send(*[{}] * 40)
        serving.process.signal_one(signal.SIGTERM)
        assert serving.process.wait_until_dead(seconds=40) in (0, -signal.SIGTERM)


@pytest.mark.proof
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_what_was_acknowledged_is_stored_once_however_often_ingest_restarts(
    number: signal.Signals,
    stack: Stack,
    project: Seeded,
    ledger: Ledger,
    chance: random.Random,
    database: ScratchDatabase,
    seed: int,
) -> None:
    serving = stack.start_ingest()
    with SocketLoad(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        for _ in range(3):
            load.wait_for_acknowledged(chance.randint(100, 1500))
            serving.process.signal_one(number)
            serving.process.wait_until_dead()
            serving = stack.start_ingest(serving.port)
        load.wait_for_acknowledged(300)
        load.settle()
    assert load.closes[1012] > 0 or number == signal.SIGKILL, "no socket was told of a restart"
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)
