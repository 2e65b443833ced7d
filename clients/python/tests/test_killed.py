"""Kills: of the server in mid-stream, and of the client with events on disk. Each event is stored once."""

import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from clients.python.tests.books import Books
from streamgauge import BatchSize, BufferFull, Client, DiskBuffer, RequestRefused, RetryPolicy
from tests.support.processes import free_port
from tests.support.stack import Stack
from tests.support.waiting import wait_for

SMALL = BatchSize(events=20, seconds=0.01)
PATIENT = RetryPolicy(attempts=100, total_seconds=100, first_seconds=0.1, longest_seconds=1)
WRITER = """
import sys
from streamgauge import Client, DiskBuffer
url, key, path = sys.argv[1:]
client = Client(url, key, buffer=DiskBuffer(path, always=True))
for number in range(200):
    print(client.send({"type": "survivor", "value": number}).id, flush=True)
sys.stdin.read()
"""


class Stream:
    """Sends without end in a thread of its own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)
        self.ids: list[str] = []

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def _send(self) -> None:
        while not self._stop.wait(0.001):
            self.ids.append(self._client.send({"type": "streamed", "value": len(self.ids)}).id)


def _accepted(client: Client, count: int) -> bool:
    return client.counts.accepted >= count


def _felt(client: Client, stream: Stream, sent: int) -> bool:
    return client.trouble is not None and len(stream.ids) >= sent


@pytest.mark.timeout(300)
@pytest.mark.parametrize("buffered", [False, True], ids=["from memory", "by the disk"])
def test_a_server_killed_in_mid_stream_stores_every_event_once(
    buffered: bool, stack: Stack, books: Books, tmp_path: Path
) -> None:
    serving = stack.start_ingest()
    url = f"http://127.0.0.1:{serving.port}"
    buffer = tmp_path / "buffer.sqlite" if buffered else None
    client = Client(url, books.key, batch=SMALL, retry=PATIENT, buffer=buffer)
    with Stream(client) as stream:
        for kill in (1, 2):
            more = client.counts.accepted + 200
            wait_for(partial(_accepted, client, more), seconds=60, what="events to be stored")
            serving.process.kill()
            sent = len(stream.ids)
            wait_for(partial(_felt, client, stream, sent + 50), seconds=60, what=f"kill {kill} to be felt")
            serving = stack.start_ingest(serving.port)
    wait_for(lambda: client.on_disk() == 0, seconds=60, what="the disk to be drained")
    assert client.close(60) == 0
    assert client.counts.buffered > 0 or client.counts.retries > 0, "the kills showed nothing"
    assert books.ids() == sorted(stream.ids)


@pytest.mark.parametrize("place", ["ingest.before_commit", "ingest.after_commit"])
def test_a_lost_answer_is_asked_again_with_the_same_ids(place: str, stack: Stack, books: Books) -> None:
    serving = stack.start_ingest(STREAMGAUGE_FAILPOINT=f"{place}:2")
    with Client(f"http://127.0.0.1:{serving.port}", books.key, batch=SMALL, retry=PATIENT) as client:
        first = client.send({"type": "before"})
        first.result(30)
        second = client.send_many([{"type": "during"}] * 20)
        assert serving.process.wait_until_dead() == -signal.SIGKILL
        stack.start_ingest(serving.port)
        for receipt in second:
            receipt.result(60)
    assert client.counts.retries > 0
    assert client.counts.duplicates == (20 if place == "ingest.after_commit" else 0)
    assert books.ids() == sorted([first.id, *(receipt.id for receipt in second)])


def test_a_killed_program_leaves_its_events_on_disk_for_the_next_one(
    server: str, nobody: str, books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "buffer.sqlite"
    command = [sys.executable, "-c", WRITER, nobody, books.key, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        sent = [program.stdout.readline().strip() for _ in range(200)]
        program.kill()
    assert books.ids() == []
    with Client(server, books.key, buffer=path) as client:
        wait_for(lambda: client.on_disk() == 0, seconds=60, what="the disk to be drained")
    assert books.ids() == sorted(sent)
    with Client(server, books.key, buffer=path) as again:
        assert again.on_disk() == 0


def test_events_on_disk_that_are_stored_already_become_duplicates(
    server: str, books: Books, tmp_path: Path
) -> None:
    """As when a program dies between the server's answer and the removal from disk."""
    path = tmp_path / "buffer.sqlite"
    with Client(server, books.key) as client:
        receipt = client.send({"type": "sent"})
    leftover = DiskBuffer(path)
    leftover.append([receipt.prepared])
    leftover.close()
    with Client(server, books.key, buffer=path) as client:
        wait_for(lambda: client.on_disk() == 0, seconds=30, what="the disk to be drained")
    assert client.counts.duplicates == 1
    assert books.ids() == [receipt.id]


def test_while_the_server_is_away_receipts_say_that_the_event_is_on_disk(nobody: str, tmp_path: Path) -> None:
    client = Client(nobody, "sg_key", buffer=tmp_path / "buffer.sqlite")
    durabilities = {client.send({"type": "sent"}).result(30).durability for _ in range(5)}
    assert durabilities == {"buffered"}
    assert client.close() == 5


@pytest.mark.parametrize("always", [False, True])
def test_a_full_disk_buffer_raises_and_nothing_is_lost(always: bool, nobody: str, tmp_path: Path) -> None:
    buffer = DiskBuffer(tmp_path / "buffer.sqlite", max_bytes=1000, always=always)
    client = Client(
        nobody, "sg_key", buffer=buffer, batch=SMALL, retry=RetryPolicy(first_seconds=60, longest_seconds=60)
    )
    client.send({"type": "first"}).result(30)  # now it knows that the server is away
    taken = 1

    def is_full() -> bool:
        nonlocal taken
        try:
            client.send({"type": "sent"})
        except BufferFull:
            return True
        taken += 1
        return False

    wait_for(is_full, seconds=60, what="the buffer to be full", every=0)
    assert client.close() == taken


def test_a_full_disk_buffer_is_waited_for_when_the_caller_wants_that(
    stack: Stack, books: Books, tmp_path: Path
) -> None:
    port = free_port()
    buffer = DiskBuffer(tmp_path / "buffer.sqlite", max_bytes=1000)
    retry = RetryPolicy(first_seconds=0.2, longest_seconds=0.5)
    client = Client(
        f"http://127.0.0.1:{port}", books.key, buffer=buffer, retry=retry, batch=SMALL, wait_when_full=60
    )
    with Stream(client) as stream:
        wait_for(lambda: client.on_disk() >= 5, seconds=60, what="the buffer to be full")
        stack.start_ingest(port)
        wait_for(lambda: client.counts.accepted > 20, seconds=60, what="room")
    assert client.close() == 0
    assert books.ids() == sorted(stream.ids)


def test_with_a_bad_key_events_stay_on_disk_until_the_key_is_right(
    server: str, books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "buffer.sqlite"
    wrong = Client(server, "sg_wrong", buffer=path)
    receipt = wrong.send({"type": "sent"})
    assert receipt.result(30).durability == "buffered"
    assert isinstance(wrong.trouble, RequestRefused)
    assert wrong.close() == 1
    with Client(server, books.key, buffer=path) as client:
        wait_for(lambda: client.on_disk() == 0, seconds=30, what="the disk to be drained")
    assert books.ids() == [receipt.id]


def test_a_refused_event_from_an_earlier_run_is_told_to_on_rejected(
    server: str, nobody: str, books: Books, tmp_path: Path
) -> None:
    path = tmp_path / "buffer.sqlite"
    earlier = Client(nobody, books.key, buffer=path)
    earlier.send_many([{"type": "not a type", "id": "x"}, {"type": "good", "id": "killed-good"}])
    assert earlier.close() == 2
    heard: list[object] = []
    with Client(
        server, books.key, buffer=path, on_rejected=lambda error: heard.append(error.event["id"])
    ) as client:
        wait_for(lambda: client.on_disk() == 0, seconds=30, what="the disk to be drained")
    assert heard == ["x"]
    assert books.ids() == ["killed-good"]
