"""Doors of ingest and what stands behind them, and the log of pipelines, on the test database with real commits."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections
from pytest_django import DjangoDbBlocker

from accounts.models import Project
from config import env
from events.writer import close_writers
from processing import idleness
from processing.models import PipelineVersion
from provisioning.processes import ingest_command
from tests.support.databases import server_url, with_database
from tests.support.doors import DjangoDoor, Door, GatewayDoor, ServerDoor, WebSocketDoor
from tests.support.ingest import Books, Tenant, make_tenant, wipe
from tests.support.processes import Process, child_environment, free_port
from tests.support.windows import Log, deploy, make_project, windows_log


@pytest.fixture(scope="session")
def ingest_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real ingest process on the test database."""
    urls = {
        "STREAMGAUGE_DATABASE_URL": with_database(server_url(), connections["default"].settings_dict["NAME"]),
        "STREAMGAUGE_REDIS_URL": env.redis_url(),
        "STREAMGAUGE_MODE": "ingest",
    }
    port = free_port()
    log: Path = tmp_path_factory.mktemp("ingest") / "server.log"
    process = Process(ingest_command("127.0.0.1", port), environment=child_environment(urls), log=log)
    process.wait_until_listening(port)
    yield port
    process.stop()
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests of this module commit: the writer has a connection of its own. All is removed at the end."""
    name = connections["default"].settings_dict["NAME"]
    assert name.startswith("test_"), f"{name} is not a test database"
    with django_db_blocker.unblock():
        yield
        close_writers()
        # Ids go on: the server lives longer than a module, and remembers what a project asked by its id.
        call_command("flush", verbosity=0, interactive=False, reset_sequences=False)
        connections["default"].close()


@pytest.fixture(scope="module")
def books(committed: None) -> Iterator[Books]:
    books = Books()
    wipe(books)
    yield books
    wipe(books)
    books.close()


@pytest.fixture
def tenant(books: Books) -> Tenant:
    return make_tenant()


@pytest.fixture(scope="module")
def doors(committed: None) -> Iterator[dict[str, Door]]:
    opened: dict[str, Door] = {"gateway": GatewayDoor(), "drf": DjangoDoor()}
    yield opened
    for door in opened.values():
        door.close()


@pytest.fixture(params=["gateway", "drf", "uvicorn"])
def door(request: pytest.FixtureRequest, doors: dict[str, Door], books: Books) -> Door:
    """Each way in by HTTP: the gateway in this process, DRF without it, and a real ingest process."""
    return _opened(request, doors)


@pytest.fixture(params=["gateway", "drf", "uvicorn", "websocket"])
def any_door(request: pytest.FixtureRequest, doors: dict[str, Door], books: Books) -> Door:
    """Each way in, for what requests by HTTP and frames of a socket have in common."""
    return _opened(request, doors)


def _opened(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    name: str = request.param
    if name not in doors:
        kind = {"uvicorn": ServerDoor, "websocket": WebSocketDoor}[name]
        doors[name] = kind(request.getfixturevalue("ingest_server"))
    return doors[name]


@pytest.fixture
def gateway(doors: dict[str, Door], books: Books) -> Door:
    """One door, for what lies behind all of them."""
    return doors["gateway"]


@pytest.fixture
def log(transactional_db: None) -> Iterator[Log]:
    """The log of the pipelines, as segments that a test writes."""
    idleness.forget_looks()
    with windows_log() as log:
        yield log


@pytest.fixture
def project(log: Log) -> Project:
    return make_project()


@pytest.fixture
def version(project: Project) -> PipelineVersion:
    return deploy(project)


@pytest.fixture
def start(log: Log) -> datetime:
    """The beginning of a window that is over by an hour."""
    return log.now().replace(second=0, microsecond=0) - timedelta(hours=1)
