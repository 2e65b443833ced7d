"""A fresh Community edition for each module: a Node process, Django pointed at it, the events app migrated into it."""

import json
import selectors
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor
from pytest_django import DjangoDbBlocker

from tests.contracts.storage import USING, Database

HERE = Path(__file__).parent
READY_SECONDS = 60.0

pytest.register_assert_rewrite("tests.contracts.storage_contract")


@contextmanager
def community_server() -> Iterator[int]:
    """The port of a new instance, gone at the end. It also ends when this process does: it reads our pipe."""
    if not (HERE / "node_modules").is_dir():
        pytest.fail(f"Run `npm ci --legacy-peer-deps` in {HERE.name}'s folder first, or `make test`.")
    with subprocess.Popen(
        ["node", "server.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield _wait_for_port(process)
        finally:
            process.kill()


def _wait_for_port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(READY_SECONDS):
            raise TimeoutError(f"The Community edition did not start within {READY_SECONDS:.0f} s.")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("The Community edition ended while starting; its error is above.")
    return int(json.loads(line)["port"])


@pytest.fixture(scope="module")
def database(django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    with community_server() as port, django_db_blocker.unblock():
        connections[USING].close()
        connections[USING].settings_dict.update(
            NAME="postgres",
            USER="postgres",
            PASSWORD="postgres",
            HOST="127.0.0.1",
            PORT=str(port),
            OPTIONS={"sslmode": "disable", "connect_timeout": 5},
        )
        executor = MigrationExecutor(connections[USING])
        executor.migrate(executor.loader.graph.leaf_nodes("events"))
        yield Database(copies=False)
        connections[USING].close()
