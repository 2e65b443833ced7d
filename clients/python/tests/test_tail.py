"""`streamgauge tail` against the live socket of a real web process."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from clients.python.tests.books import Books
from clients.python.tests.test_cli import run
from streamgauge import Client
from streamgauge.cli.topics import OverviewSample
from tests.support.stack import Stack
from tests.support.waiting import wait_for


@pytest.fixture(scope="module")
def web(shared_stack: Stack) -> str:
    return f"http://127.0.0.1:{shared_stack.start_web().port}"


class Tail:
    """The command running, with what it has said so far."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "streamgauge", "tail", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def end(self) -> str:
        """What it told people."""
        self.process.kill()
        self._reader.join(10)
        with self.process:
            assert self.process.stderr is not None
            return self.process.stderr.read()


@pytest.fixture
def tail(web: str, books: Books) -> Iterator[Tail]:
    place = ("--project", books.project.slug, "--key", books.project.read_key)
    running = Tail("--url", web, "--json", *place)  # without an end: other tests sent events here as well
    yield running
    running.process.kill()


@pytest.mark.timeout(200)
def test_tail_shows_each_event_of_a_quiet_project_once_and_says_that_it_is_a_sample(
    tail: Tail, server: str, books: Books
) -> None:
    sent: list[str] = []
    with Client(server, books.key) as client:

        def shown() -> set[str]:
            """Sends on, so that it does not matter when the socket was ready."""
            sent.append(client.send({"type": "tailed", "value": len(sent)}).id)
            client.flush()
            return {event["id"] for event in map(json.loads, list(tail.lines)) if event["type"] == "tailed"}

        seen = wait_for(shown, seconds=90, what="an event to be shown", every=0.5)
    said = tail.end()
    assert seen <= set(sent)
    assert len(tail.lines) == len(set(tail.lines))
    assert "sample" in said


def test_tail_explains_a_key_that_may_not_read_and_a_process_that_has_no_socket(
    web: str, server: str, books: Books
) -> None:
    wrong_key = run("tail", "--project", books.project.slug, "--url", web, "--key", books.key)
    assert wrong_key.returncode == 4
    assert "read" in wrong_key.stderr
    no_socket = run("tail", "--project", books.project.slug, "--url", server, "--key", books.project.read_key)
    assert no_socket.returncode == 4
    assert "web process" in no_socket.stderr


def test_the_sample_gives_each_event_once_oldest_first() -> None:
    topic = OverviewSample("demo")
    assert topic.params() == {"project": "demo"}

    def frame(*uids: str) -> dict[str, Any]:
        return {"seq": 1, "data": {"newest": [{"uid": uid} for uid in uids]}}

    assert topic.events(frame("b", "a")) == [{"uid": "a"}, {"uid": "b"}]
    assert topic.events({"seq": 2, "data": {"rate": {}}}) == []
    assert topic.events(frame("d", "c", "b")) == [{"uid": "c"}, {"uid": "d"}]
