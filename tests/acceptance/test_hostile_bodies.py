"""Bodies that are too long, that lie, that never end or that blow up, against a real ingest process."""

import gzip
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.databases import scratch_database
from tests.support.processes import MIB
from tests.support.stack import Seeded, Serving, running_stack

GROWTH = 50 * MIB
LONG = 300 * MIB
CHUNK = b" " * MIB
SECONDS = 60


class Target:
    """One ingest process, and how much it has grown since it had answered its first requests."""

    def __init__(self, serving: Serving, project: Seeded) -> None:
        self.serving = serving
        self.key = project.ingest_key
        for _ in range(20):
            self.require_good()
        self._before = self._resident()

    def require_good(self) -> None:
        answer = httpx.post(
            f"http://127.0.0.1:{self.serving.port}/api/v1/events",
            json={"type": "still.alive"},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=SECONDS,
        )
        assert (answer.status_code, answer.json()["accepted"]) == (200, 1)

    def require_small(self) -> None:
        assert self._resident() - self._before < GROWTH

    def _resident(self) -> int:
        return int(psutil.Process(self.serving.process.pid).memory_info().rss)

    def open(self, *headers: str) -> socket.socket:
        """A connection on which the head of a request was sent, with `headers` besides the usual ones."""
        connection = socket.create_connection(("127.0.0.1", self.serving.port), timeout=SECONDS)
        lines = [
            "POST /api/v1/events HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.key}",
            "Content-Type: application/json",
            *headers,
        ]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        return connection


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    folder: Path = tmp_path_factory.mktemp("hostile")
    with scratch_database("hostile") as database, running_stack(database, folder) as stack:
        yield Target(stack.start_ingest(), stack.seed("victim"))


@pytest.fixture(autouse=True)
def unharmed(target: Target) -> Iterator[None]:
    """After each of them: the next request works, and the process is as small as it was."""
    yield
    target.require_good()
    target.require_small()


def send_until_closed(connection: socket.socket, size: int, frame: bytes) -> int:
    """Send `frame` again and again until `size` bytes went, or the server has had enough. Returns what went."""
    sent = 0
    try:
        while sent < size:
            connection.sendall(frame)
            sent += len(frame)
    except (BrokenPipeError, ConnectionResetError):
        return sent
    return sent


def status_of(connection: socket.socket) -> int | None:
    """The status that the server answers with; None when it only closes."""
    try:
        head = connection.recv(4096)
    except ConnectionResetError:
        return None
    return int(head.split(b" ", 2)[1]) if head else None


def test_a_length_over_the_limit_is_refused_before_the_body(target: Target) -> None:
    with target.open(f"Content-Length: {LONG}") as connection:
        assert status_of(connection) == 413


def test_a_body_over_the_limit_without_a_length_is_refused_on_the_way(target: Target) -> None:
    with target.open("Transfer-Encoding: chunked") as connection:
        chunk = b"%x\r\n%s\r\n" % (len(CHUNK), CHUNK)
        sent = send_until_closed(connection, LONG, chunk)
        assert status_of(connection) in {413, None}
    assert sent < LONG, "the whole body was read"


def test_a_body_longer_than_it_said_is_not_read_on(target: Target) -> None:
    """What follows the announced bytes is no request: the server closes."""
    with target.open("Content-Length: 16") as connection:
        connection.sendall(b'{"type":"short"}')
        assert status_of(connection) == 200
        sent = send_until_closed(connection, LONG, CHUNK)
    assert sent < LONG


def test_bodies_that_stop_or_drip_end_in_408(target: Target) -> None:
    def stops() -> int | None:
        with target.open("Content-Length: 1000") as connection:
            connection.sendall(b'[{"type":"a"}')
            return status_of(connection)

    def drips() -> int | None:
        with target.open("Content-Length: 1000") as connection:
            connection.settimeout(1)
            for _second in range(SECONDS):
                try:
                    connection.sendall(b" ")
                    return status_of(connection)
                except TimeoutError:
                    continue
            return None

    with ThreadPoolExecutor(max_workers=20) as pool:
        waiting = [pool.submit(body) for body in (stops, drips) for _ in range(10)]
        target.require_good()
        assert {each.result() for each in waiting} == {408}


@pytest.mark.parametrize("layers", [1, 2])
def test_bombs_are_not_unpacked(target: Target, layers: int) -> None:
    body = bytes(LONG)
    for _ in range(layers):
        body = gzip.compress(body)
    headers = {
        "Authorization": f"Bearer {target.key}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    with ThreadPoolExecutor(max_workers=8) as pool:
        address = f"http://127.0.0.1:{target.serving.port}/api/v1/events"
        sent = [
            pool.submit(httpx.post, address, content=body, headers=headers, timeout=SECONDS) for _ in range(8)
        ]
        statuses = {each.result().status_code for each in sent}
    assert statuses <= {413, 400}


def test_truncated_gzip_is_refused(target: Target) -> None:
    whole = gzip.compress(b'{"type":"a"}')
    headers = {
        "Authorization": f"Bearer {target.key}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    address = f"http://127.0.0.1:{target.serving.port}/api/v1/events"
    answer = httpx.post(address, content=whole[:-4], headers=headers, timeout=SECONDS)
    assert (answer.status_code, answer.json()["code"]) == (400, "broken_encoding")
