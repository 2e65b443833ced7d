"""Sockets that flood or never read, against real processes: they are closed, stay small, and harm no other."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from events.websocket.limits import SocketLimits
from tests.support.databases import scratch_database
from tests.support.frames import BINARY, masked, rude_socket
from tests.support.processes import MIB, Process
from tests.support.sockets import outer_socket
from tests.support.stack import Seeded, Serving, Stack, running_stack
from tests.support.waiting import wait_for

GROWTH_MIB = 50
QUICK_PINGS = ("--ws-ping-interval", "1", "--ws-ping-timeout", "2")
LINES = b'{"type":"flood"}\n' * 900
WRONG = b"{}\n" * 900


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("sockets")
    with scratch_database("sockets") as database, running_stack(database, folder) as stack:
        yield stack


@pytest.fixture(scope="module")
def project(stack: Stack) -> Seeded:
    return stack.seed("sea")


@pytest.fixture(scope="module")
def ingest(stack: Stack, project: Seeded) -> Serving:
    return warmed(stack.start_ingest(options=QUICK_PINGS), project)


@pytest.fixture(scope="module")
def web(stack: Stack, project: Seeded) -> Serving:
    return warmed(stack.start_web(), project)


@pytest.fixture(params=["ingest", "web"])
def serving(request: pytest.FixtureRequest) -> Serving:
    found: Serving = request.getfixturevalue(request.param)
    return found


def warmed(serving: Serving, project: Seeded) -> Serving:
    """After a first flush, which imports and allocates what every later one uses."""
    with outer_socket(serving.port, project.ingest_key) as polite:
        polite.acknowledged(polite.send(*[{"type": "first"}] * 900))
    return serving


def test_a_client_that_floods_is_closed_and_harms_no_other(serving: Serving, project: Seeded) -> None:
    with (
        staying_small(serving.process),
        outer_socket(serving.port, project.ingest_key) as polite,
        flooding(serving.port, project, LINES) as (closed, sent),
    ):
        wait_for(lambda: sent[0] > 0, seconds=10, what="the flood to begin")
        while not closed.is_set():
            seq = polite.send({"type": "polite"})
            assert polite.acknowledged(seq)[-1]["accepted"] == 1
        assert sent[0] > SocketLimits().bytes / 2, "the flood was no flood"


def test_a_client_that_never_reads_is_closed_and_harms_no_other(ingest: Serving, project: Seeded) -> None:
    """Its answers, 150 KB for each frame, fill what the kernel takes, then it is not heard any more."""
    with (
        staying_small(ingest.process),
        outer_socket(ingest.port, project.ingest_key) as polite,
        rude_socket(ingest.port, project.ingest_key, receive_buffer=4096) as rude,
    ):
        for seq in range(1, 9):
            rude.sendall(masked(BINARY, b"%d ndjson\n%s" % (seq, WRONG)))
        assert polite.acknowledged(polite.send({"type": "polite"}))[-1]["accepted"] == 1
        wait_for(lambda: broken_off(rude), seconds=60, what="the socket that never reads to be closed")
        assert polite.acknowledged(polite.send({"type": "polite"}))[-1]["accepted"] == 1
    wait_until_all_have_left(ingest)


def test_frames_that_are_never_finished_stay_small(ingest: Serving, project: Seeded) -> None:
    """Forty of them, 300 KiB each."""
    half = masked(BINARY, b"1 ndjson\n" + b"\n" * (SocketLimits().frame_bytes - 100))[: 300 * 1024]
    with (
        staying_small(ingest.process),
        outer_socket(ingest.port, project.ingest_key) as polite,
        ExitStack() as opened,
    ):
        for _ in range(40):
            opened.enter_context(rude_socket(ingest.port, project.ingest_key)).sendall(half)
        assert polite.acknowledged(polite.send({"type": "polite"}))[-1]["accepted"] == 1


def test_a_server_closes_with_the_code_that_the_page_names(serving: Serving, project: Seeded) -> None:
    with outer_socket(serving.port, project.ingest_key) as client:
        client.connection.send("no seq")
        assert client.close_code() == 1008


@contextmanager
def flooding(port: int, project: Seeded, lines: bytes) -> Iterator[tuple[threading.Event, list[int]]]:
    """(set once the server has closed, [bytes sent]) of a client that sends whatever the server says."""
    closed, sent = threading.Event(), [0]

    def flood() -> None:
        try:
            with rude_socket(port, project.ingest_key) as connection:
                for seq in itertools.count(1):
                    frame = masked(BINARY, b"%d ndjson\n%s" % (seq, lines))
                    connection.sendall(frame)
                    sent[0] += len(frame)
        except OSError:
            closed.set()

    thread = threading.Thread(target=flood, name="flood", daemon=True)
    thread.start()
    yield closed, sent
    thread.join(timeout=60)
    assert not thread.is_alive(), "the flood was never stopped"


@contextmanager
def staying_small(process: Process) -> Iterator[None]:
    before = psutil.Process(process.pid).memory_info().rss / MIB
    yield
    grown = process.peak_memory_mib() - before
    assert grown < GROWTH_MIB, f"grew by {grown:.1f} MiB from {before:.1f}"


def broken_off(connection: socket.socket) -> bool:
    """Whether the server has ended the connection: only sending tells, as nothing is read."""
    try:
        connection.sendall(masked(BINARY, b"x"))
    except OSError:
        return True
    return False


def wait_until_all_have_left(serving: Serving) -> None:
    def connected() -> bool:
        found = psutil.Process(serving.process.pid).net_connections("tcp")
        return any(each.laddr.port == serving.port and each.status != "LISTEN" for each in found)

    wait_for(lambda: not connected(), seconds=20, what="the server to let go of its sockets")
