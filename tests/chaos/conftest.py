"""One scratch database and one Redis for the suite; processes, project and ledger for each test."""

import os
import random
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.mutants import mutation
from tests.chaos.oracle import WINDOW_SECONDS
from tests.support.databases import ScratchDatabase, scratch_database
from tests.support.ledger import Ledger
from tests.support.servers import OwnRedis, own_redis
from tests.support.stack import Seeded, Stack, running_stack

# One seed drives load and faults.
SEED = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(1_000_000))


def pytest_report_header() -> str:
    return f"chaos: repeat with CHAOS_SEED={SEED}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Waits have deadlines of their own, so the test's must come after all of them."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED


@pytest.fixture
def chance(seed: int, request: pytest.FixtureRequest) -> random.Random:
    """This test's own dice, alike for a seed whichever tests run."""
    return random.Random(f"{seed}-{request.node.name}")


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with own_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def database() -> Iterator[ScratchDatabase]:
    with scratch_database("chaos") as database:
        yield database


@pytest.fixture
def stack(database: ScratchDatabase, redis: OwnRedis, tmp_path: Path) -> Iterator[Stack]:
    with running_stack(database, tmp_path, redis_url=redis.url, extra=mutation()) as stack:
        yield stack


@pytest.fixture
def project(stack: Stack) -> Seeded:
    """A project whose events no pipeline wants."""
    return stack.seed(f"chaos-{secrets.token_hex(4)}")


@pytest.fixture
def windowed_project(stack: Stack) -> Seeded:
    """A project with a pipeline over all types, in windows of WINDOW_SECONDS."""
    return stack.seed(f"chaos-{secrets.token_hex(4)}", "*", window_seconds=WINDOW_SECONDS)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    yield ledger
    ledger.close()
