"""Workers die while they read a file: each row of it is stored once all the same."""

import json
import random
import time
from pathlib import Path

import pytest

from tests.support.databases import ScratchDatabase
from tests.support.imports import event, ndjson, packed
from tests.support.processes import Process, run_manage
from tests.support.stack import Seeded, Stack
from tests.support.waiting import wait_for

ROWS = 60_000
TAKEN_OVER_SECONDS = 30.0


@pytest.fixture
def importing(stack: Stack, tmp_path: Path) -> Stack:
    """Every process of it sees the test's own folder of imports."""
    return Stack(
        stack.database, stack.redis_url, stack.folder, {**stack.extra, "STREAMGAUGE_IMPORT_DIR": str(tmp_path / "i")},
        stack.started,
    )  # fmt: skip


def queue(stack: Stack, project: Seeded, name: str, content: bytes) -> str:
    path = stack.folder / name
    path.write_bytes(content)
    said = run_manage(
        stack.environment("web"), "import_events", str(path), "--project", project.slug, "--json"
    )
    job: str = json.loads(said.splitlines()[-1])["id"]
    return job


def accepted(database: ScratchDatabase, job: str) -> int:
    return int(database.value("SELECT accepted FROM import_job WHERE id = %s", (job,)))


def wait_until_accepted(database: ScratchDatabase, job: str, goal: int) -> None:
    wait_for(lambda: accepted(database, job) >= goal, seconds=60, what=f"{goal} stored rows", every=0.01)


def done(database: ScratchDatabase, job: str) -> bool:
    state: str = database.value("SELECT state FROM import_job WHERE id = %s", (job,))
    assert state not in {"failed", "cancelled"}, state
    return state == "done"


def require_each_row_once(database: ScratchDatabase, project: Seeded, job: str) -> None:
    count, different = database.rows(
        "SELECT count(*), count(DISTINCT value) FROM event WHERE project_id = %s", (project.project_id,)
    )[0]
    assert (count, different) == (ROWS, ROWS)
    assert accepted(database, job) == ROWS
    assert database.value("SELECT duplicates + rejected FROM import_job WHERE id = %s", (job,)) == 0


@pytest.mark.proof
@pytest.mark.parametrize("encoding", ["", "zstd"])
def test_rows_without_ids_survive_kills_of_their_worker(
    encoding: str,
    importing: Stack,
    project: Seeded,
    database: ScratchDatabase,
    chance: random.Random,
) -> None:
    content = packed(ndjson(event(n, subject="x" * 100) for n in range(ROWS)), encoding)
    importing.start_beat()
    worker = importing.start_worker()
    job = queue(importing, project, "rows.ndjson", content)
    for _ in range(2):
        wait_until_accepted(database, job, accepted(database, job) + chance.randint(1, ROWS // 4))
        worker.kill()
        killed, stored = time.monotonic(), accepted(database, job)
        worker = importing.start_worker()
        if not done(database, job):
            wait_until_accepted(database, job, stored + 1)
            assert time.monotonic() - killed < TAKEN_OVER_SECONDS
    wait_for(lambda: done(database, job), seconds=90, what="the import to end")
    require_each_row_once(database, project, job)


@pytest.mark.parametrize(
    "failpoint", ["ingest.before_commit:3", "ingest.after_commit:3", "import.batch_sent:7"]
)
def test_a_worker_that_dies_at_the_worst_moment_doubles_nothing(
    failpoint: str, importing: Stack, project: Seeded, database: ScratchDatabase
) -> None:
    importing.start_beat()
    worker = importing.start_worker(STREAMGAUGE_FAILPOINT=failpoint)
    job = queue(importing, project, "rows.ndjson", ndjson(event(n, subject="x" * 100) for n in range(ROWS)))
    seen: set[int] = set()
    wait_for(lambda: _deaths(worker, seen) >= 1, seconds=60, what="a child of the worker to die")
    worker.kill()
    importing.start_worker()
    wait_for(lambda: done(database, job), seconds=90, what="the import to end")
    require_each_row_once(database, project, job)


def _deaths(worker: Process, seen: set[int]) -> int:
    now = set(worker.descendants())
    seen |= now
    return len(seen - now)
