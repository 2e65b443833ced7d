"""A real ingest process on a database of its own."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.python.tests.books import Books
from streamgauge import DiskBuffer
from tests.support.databases import ScratchDatabase, scratch_database
from tests.support.processes import free_port
from tests.support.stack import Seeded, Stack, running_stack


@pytest.fixture(scope="session")
def database() -> Iterator[ScratchDatabase]:
    with scratch_database("client") as database:
        yield database


@pytest.fixture(scope="session")
def shared_stack(database: ScratchDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(database, tmp_path_factory.mktemp("shared")) as stack:
        yield stack


@pytest.fixture(scope="session")
def server(shared_stack: Stack) -> str:
    """The URL of an ingest process that stays up."""
    return f"http://127.0.0.1:{shared_stack.start_ingest().port}"


@pytest.fixture
def stack(database: ScratchDatabase, tmp_path: Path) -> Iterator[Stack]:
    """For processes that the test itself starts and kills."""
    with running_stack(database, tmp_path) as stack:
        yield stack


@pytest.fixture(scope="session")
def project(shared_stack: Stack) -> Seeded:
    return shared_stack.seed(f"client-{secrets.token_hex(4)}")


@pytest.fixture
def books(database: ScratchDatabase, project: Seeded) -> Books:
    return Books(database, project, database.value("SELECT clock_timestamp()"))


@pytest.fixture
def nobody() -> str:
    """The URL of a server that is away."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., DiskBuffer]]:
    """Makes buffers on one path, and closes them."""
    opened: list[DiskBuffer] = []

    def make(**options: object) -> DiskBuffer:
        opened.append(DiskBuffer(tmp_path / "buffer.sqlite", **options))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for buffer in opened:
        buffer.close()
