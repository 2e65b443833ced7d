"""Writers of a test's own, and requests sent to them the way every door sends them."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest.mock import patch

import msgspec
import psycopg

from accounts.identity import KeyIdentity
from events import services
from events.connections import connect_writer, conninfo
from events.epoch import EPOCH
from events.errors import IngestError
from events.policies import NOTHING
from events.requests import IngestOptions
from events.services import ingest_events
from events.submissions import Verdicts
from events.writer import Writer
from tests.support.ingest import Tenant
from tests.support.waiting import wait_for

Connection = psycopg.Connection[tuple[Any, ...]]
SECONDS = 20.0


def send(
    writer: Writer,
    tenant: Tenant,
    events: object,
    *,
    whole: bool = False,
    scopes: tuple[str, ...] = ("ingest",),
    options: IngestOptions | None = None,
    using: str = "default",
) -> "Future[Verdicts]":
    """Queue a request (bytes as they are, anything else as JSON). Raises Overloaded and RequestRefused."""
    body = events if isinstance(events, bytes) else msgspec.json.encode(events)
    answered: Future[Verdicts] = Future()
    identity = KeyIdentity(1, "prefix", tenant.id, tenant.project.slug, frozenset(scopes), None, 90, None)
    with patch.object(services, "get_writer", lambda _using: writer):
        ingest_events(
            identity=identity,
            body=body,
            options=options or IngestOptions("json", "", "reject" if whole else "store", False),
            policy=NOTHING,
            request_id="test",
            arrived=time.monotonic(),
            deliver=lambda answer: _settle(answered, answer),
            using=using,
        )
    return answered


def _settle(future: "Future[Verdicts]", answer: Verdicts | IngestError) -> None:
    if isinstance(answer, Verdicts):
        future.set_result(answer)
    else:
        future.set_exception(answer)


class StatementCounter(psycopg.Cursor[tuple[Any, ...]]):
    """A cursor that writes down the first words of each statement it sends."""

    seen: ClassVar[list[str]] = []

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> "StatementCounter":
        self.seen.append(_name(str(query)))
        return super().execute(query, *args, **kwargs)

    def copy(self, statement: Any, *args: Any, **kwargs: Any) -> Any:
        self.seen.append(_name(str(statement)))
        return super().copy(statement, *args, **kwargs)


def _name(query: str) -> str:
    """The first table or function a statement works on."""
    words = [line for line in query.splitlines() if not line.startswith("--")]
    text = " ".join(words)
    for mark in ("INSERT INTO ", "COPY ", "FROM "):
        if mark in text:
            return text.partition(mark)[2].split("(")[0].split()[0]
    return text[:20]


def connect_counting(using: str) -> Connection:
    connection = connect_writer(using)
    connection.cursor_factory = StatementCounter
    return connection


class Database:
    """A way to the database that can be cut: connections break, and new ones are refused."""

    def __init__(self) -> None:
        self.away = False
        self._open: list[Connection] = []

    def connect(self, using: str) -> Connection:
        if self.away:
            raise psycopg.OperationalError("connection refused")
        connection = connect_writer(using)
        self._open.append(connection)
        return connection

    def cut(self) -> None:
        self.away = True
        with psycopg.connect(conninfo(), autocommit=True) as administrator:
            for connection in self._open:
                if not connection.closed:
                    administrator.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        self._open.clear()

    def mend(self) -> None:
        self.away = False


@contextmanager
def blocked(statement: str) -> Iterator[Callable[[], None]]:
    """Hold what `statement` locks until the end, or until the yielded function is called."""
    with psycopg.connect(conninfo()) as holder:
        holder.execute(statement.encode())
        yield holder.rollback


@contextmanager
def no_flush_begins() -> Iterator[Callable[[], None]]:
    """EPOCH held by somebody else, as while a pipeline is deployed: requests queue meanwhile."""
    with blocked(f"SELECT pg_advisory_xact_lock({EPOCH})") as release:
        yield release


def waiting_on_locks(count: int, what: str) -> None:
    """Until `count` sessions of this database wait for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(conninfo(), autocommit=True) as observer:
        wait_for(lambda: _count(observer, query) >= count, seconds=SECONDS, what=what, every=0.01)


def _count(observer: Connection, query: str) -> int:
    row = observer.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


class Running(threading.Thread):
    """A thread whose result, or failure, comes out of `result`."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._future: Future[object] = Future()
        self.start()

    def run(self) -> None:
        try:
            self._future.set_result(self._work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test waits
            self._future.set_exception(error)

    @property
    def done(self) -> bool:
        return self._future.done()

    def result(self) -> object:
        return self._future.result(SECONDS)
