"""PostgreSQL is gone for a while and the spool is on: nobody waits, and each event ends stored once."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from events.spool import all_waiting
from provisioning.cluster import Cluster
from tests.chaos.mutants import mutation
from tests.chaos.oracle import require_counts_match, require_exactly_once
from tests.support.databases import ScratchDatabase, scratch_database, server_url
from tests.support.ledger import Ledger
from tests.support.load import Load, Mix
from tests.support.servers import OwnRedis, has_server_programs, own_cluster, server_major
from tests.support.stack import Seeded, Serving, Stack, running_stack
from tests.support.waiting import wait_for

# Some 2,000 events a second: 4 senders of 1 to 99 events each, every tenth of a second.
STEADY = Mix(senders=4, largest=99, pause_seconds=0.09)
FIRST_ACKNOWLEDGEMENT_SECONDS = 5.0


@dataclass
class Outage:
    """A stack with the spool on, on a cluster that can be taken away."""

    stack: Stack
    cluster: Cluster
    project: Seeded
    folder: Path

    @property
    def database(self) -> ScratchDatabase:
        return self.stack.database

    def start_ingest(self, port: int | None = None, **overrides: str) -> Serving:
        spool = {"STREAMGAUGE_SPOOL": "1", "STREAMGAUGE_SPOOL_DIR": str(self.folder), **overrides}
        return self.stack.start_ingest(port, (), **spool)

    def kill_database(self) -> None:
        pid = self.cluster.pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        wait_for(lambda: self.cluster.pid() is None, seconds=20, what="the postmaster to end")

    def bring_back(self) -> None:
        self.cluster.ensure_running(lambda line: None)

    @property
    def waiting(self) -> int:
        return all_waiting(self.folder).entries

    def wait_until_drained(self) -> None:
        wait_for(lambda: self.waiting == 0, seconds=120, what="the spool to be drained")


@pytest.fixture
def outage(redis: OwnRedis, tmp_path: Path) -> Iterator[Outage]:
    major = server_major(server_url())
    if not has_server_programs(major):
        pytest.skip(
            f"PostgreSQL {major} is elsewhere: there are no programs here to start a second cluster with"
        )
    with (
        own_cluster(tmp_path / "cluster", major) as cluster,
        scratch_database("spool", server=cluster.url) as database,
        running_stack(database, tmp_path, redis_url=redis.url, extra=mutation()) as stack,
    ):
        try:
            project = stack.seed(f"chaos-{secrets.token_hex(4)}")
            yield Outage(stack, cluster, project, tmp_path / "spool")
        finally:
            cluster.ensure_running(lambda line: None)  # the scratch database is dropped on it


def spooled(load: Load) -> int:
    return load.seen.answers.get(202, 0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "seconds",
    [pytest.param(15, id="15 s"), pytest.param(60, id="60 s", marks=pytest.mark.proof)],
)
def test_a_database_that_is_away_loses_and_doubles_nothing_and_nobody_waits(
    outage: Outage, ledger: Ledger, seed: int, seconds: int, record_property: Callable[[str, object], None]
) -> None:
    serving = outage.start_ingest()
    with Load(port=serving.port, key=outage.project.ingest_key, ledger=ledger, seed=seed, mix=STEADY) as load:
        load.wait_for_acknowledged(2_000)
        outage.kill_database()
        away_until = time.monotonic() + seconds
        wait_for(lambda: spooled(load) > 0, seconds=30, what="the first request to be spooled")
        while time.monotonic() < away_until:
            load.wait_for_acknowledged(200, seconds=10)
        committed = load.seen.answers.get(200, 0)
        outage.bring_back()
        back = time.monotonic()
        wait_for(lambda: load.seen.answers.get(200, 0) > committed, seconds=30, what="a 200")
        took = time.monotonic() - back
        record_property("seconds_to_first_acknowledgement", round(took, 2))
        record_property("answers", dict(load.seen.answers))
        load.wait_for_acknowledged(500)
        load.settle()
    outage.wait_until_drained()
    record_property("seconds_until_drained", round(time.monotonic() - back, 2))
    assert took < FIRST_ACKNOWLEDGEMENT_SECONDS
    require_exactly_once(outage.database, outage.project.project_id, ledger)
    require_counts_match(outage.database, outage.project.project_id)


def test_an_ingest_process_killed_while_it_spools_leaves_all_it_answered_to_the_next(
    outage: Outage, ledger: Ledger, seed: int
) -> None:
    serving = outage.start_ingest()
    with Load(port=serving.port, key=outage.project.ingest_key, ledger=ledger, seed=seed) as load:
        load.wait_for_acknowledged(500)
        outage.kill_database()
        wait_for(lambda: spooled(load) > 5, seconds=30, what="requests to be spooled")
        serving.process.kill()
        outage.bring_back()
        outage.start_ingest(port=serving.port)
        load.wait_for_acknowledged(500)
        load.settle()
    outage.wait_until_drained()
    require_exactly_once(outage.database, outage.project.project_id, ledger)
    require_counts_match(outage.database, outage.project.project_id)


def test_a_drain_killed_after_commit_stores_nothing_twice(outage: Outage, ledger: Ledger, seed: int) -> None:
    """Between COMMIT and the entry's removal, so that the next process finds it in the spool again."""
    mix = Mix(without_ids=1.0, repeated=0.0)  # only the flush's own id can tell
    serving = outage.start_ingest(STREAMGAUGE_FAILPOINT="drain.after_commit:3")
    with Load(port=serving.port, key=outage.project.ingest_key, ledger=ledger, seed=seed, mix=mix) as load:
        load.wait_for_acknowledged(500)
        outage.kill_database()
        wait_for(lambda: outage.waiting >= 6, seconds=30, what="some entries")
        outage.bring_back()
        serving.process.wait_until_dead()
        assert outage.waiting > 0
        outage.start_ingest(port=serving.port)
        load.wait_for_acknowledged(300)
        load.settle()
    outage.wait_until_drained()
    require_exactly_once(outage.database, outage.project.project_id, ledger)
    require_counts_match(outage.database, outage.project.project_id)


def test_a_spool_that_is_full_answers_503_and_recovers(outage: Outage, ledger: Ledger, seed: int) -> None:
    serving = outage.start_ingest(STREAMGAUGE_SPOOL_MAX_BYTES="100000")
    with Load(port=serving.port, key=outage.project.ingest_key, ledger=ledger, seed=seed) as load:
        load.wait_for_acknowledged(500)
        outage.kill_database()
        wait_for(lambda: spooled(load) > 0, seconds=30, what="the first request to be spooled")
        before = load.seen.answers.get(503, 0)
        wait_for(lambda: load.seen.answers.get(503, 0) > before + 10, seconds=30, what="the spool to be full")
        assert all_waiting(outage.folder).bytes <= 100_000
        outage.bring_back()
        load.wait_for_acknowledged(500)
        load.settle()
    assert all(float(seconds) > 0 for seconds in load.seen.retry_after)
    outage.wait_until_drained()
    require_exactly_once(outage.database, outage.project.project_id, ledger)
    require_counts_match(outage.database, outage.project.project_id)
