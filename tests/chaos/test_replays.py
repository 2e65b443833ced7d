"""One batch sent ten times at once, in ten orders, to two ingest processes."""

import random
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec

from tests.support.databases import ScratchDatabase
from tests.support.doors import Answer, ServerDoor
from tests.support.stack import Seeded, Stack

COPIES = 10
EVENTS = 1_000


def test_a_batch_replayed_ten_times_in_parallel_and_shuffled_is_stored_once(
    stack: Stack, project: Seeded, database: ScratchDatabase, chance: random.Random
) -> None:
    servings = [stack.start_ingest(), stack.start_ingest()]
    batch = [{"type": "t", "id": f"e-{number}", "source": f"s{number % 7}"} for number in range(EVENTS)]
    bodies = [msgspec.json.encode(chance.sample(batch, EVENTS)) for _ in range(COPIES)]
    together = Barrier(COPIES)

    def send(copy: int) -> Answer:
        door = ServerDoor(servings[copy % 2].port)
        headers = {"Authorization": f"Bearer {project.ingest_key}", "Content-Type": "application/json"}
        try:
            together.wait(30)
            return door.send(bodies[copy], headers)
        finally:
            door.close()

    with ThreadPoolExecutor(COPIES) as senders:
        answers = list(senders.map(send, range(COPIES)))
    assert [answer.status for answer in answers] == [200] * COPIES, [answer.body[:300] for answer in answers]
    assert sum(answer.json["accepted"] for answer in answers) == EVENTS
    assert sum(answer.json["duplicates"] for answer in answers) == (COPIES - 1) * EVENTS
    query = "SELECT count(*), count(DISTINCT (source, event_id)) FROM event WHERE project_id = %s"
    assert database.rows(query, (project.project_id,)) == [(EVENTS, EVENTS)]
    for serving in servings:
        log = serving.process.log.read_text()
        assert "deadlock" not in log, log
        assert "flush_gave_up" not in log, log
