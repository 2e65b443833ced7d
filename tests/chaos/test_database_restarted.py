"""PostgreSQL itself goes away under load, in a cluster of the test's own."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provisioning.cluster import Cluster
from tests.chaos.mutants import mutation
from tests.chaos.oracle import require_counts_match, require_exactly_once
from tests.support.databases import scratch_database, server_url
from tests.support.ledger import Ledger
from tests.support.load import Load
from tests.support.servers import OwnRedis, has_server_programs, own_cluster, server_major
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_for


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    major = server_major(server_url())
    if not has_server_programs(major):
        pytest.skip(
            f"PostgreSQL {major} is elsewhere: there are no programs here to start a second cluster with"
        )
    with own_cluster(tmp_path / "cluster", major) as cluster:
        yield cluster


@pytest.fixture
def lonely_stack(cluster: Cluster, redis: OwnRedis, tmp_path: Path) -> Iterator[Stack]:
    with (
        scratch_database("restart", server=cluster.url) as database,
        running_stack(database, tmp_path, redis_url=redis.url, extra=mutation()) as stack,
    ):
        yield stack


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGQUIT, id="stop -m immediate"),
        pytest.param(signal.SIGKILL, id="kill -9 of the postmaster", marks=pytest.mark.proof),
    ],
)
def test_a_database_restarted_under_load_loses_and_doubles_nothing(
    how: signal.Signals,
    lonely_stack: Stack,
    cluster: Cluster,
    ledger: Ledger,
    seed: int,
    record_property: Callable[[str, object], None],
) -> None:
    database = lonely_stack.database
    project = lonely_stack.seed(f"chaos-{secrets.token_hex(4)}")
    serving = lonely_stack.start_ingest()
    with Load(port=serving.port, key=project.ingest_key, ledger=ledger, seed=seed) as load:
        load.wait_for_acknowledged(500)
        pid = cluster.pid()
        assert pid is not None
        os.kill(pid, how)
        wait_for(lambda: cluster.pid() is None, seconds=20, what="the postmaster to end")
        cluster.ensure_running(lambda line: None)
        began = time.monotonic()
        load.wait_for_acknowledged(1)
        record_property("seconds_to_first_acknowledgement", round(time.monotonic() - began, 2))
        load.wait_for_acknowledged(300)
        load.settle()
    require_exactly_once(database, project.project_id, ledger)
    require_counts_match(database, project.project_id)
