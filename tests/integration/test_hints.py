"""Hints through a real Redis that freezes, forgets and dies; and workers that do without."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
import redis
from django.db import connections
from kombu.exceptions import KombuError

from events.signals import events_stored
from processing import hints
from processing.hints import HintPublisher, partition_hints
from tests.support.databases import server_url, with_database
from tests.support.processes import Process, child_environment
from tests.support.servers import OwnRedis, own_redis
from tests.support.waiting import wait_for
from tests.support.windows import Log, Sent, deploy, make_project

QUEUE = "celery"
BROKER_ERRORS = (OSError, redis.RedisError, KombuError)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with own_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def client(server: OwnRedis) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def publisher(server: OwnRedis) -> Iterator[HintPublisher]:
    publisher = HintPublisher(url=server.url)
    yield publisher
    publisher.close()


@contextmanager
def frozen(server: OwnRedis) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_a_hint_is_one_message_for_all_partitions(client: redis.Redis, publisher: HintPublisher) -> None:
    publisher(frozenset({("default", 3), ("default", 1)}))
    [message] = cast("list[bytes]", client.lrange(QUEUE, 0, -1))
    assert b"processing.drain" in message


def test_a_frozen_redis_costs_a_hint_about_half_a_second(
    client: redis.Redis, server: OwnRedis, publisher: HintPublisher
) -> None:
    publisher(frozenset({("default", 1)}))
    for _ in range(2):
        begun = time.monotonic()
        with frozen(server), pytest.raises(BROKER_ERRORS):
            publisher(frozenset({("default", 1)}))
        assert time.monotonic() - begun < 1.5
    client.flushall()
    publisher(frozenset({("default", 2)}))
    assert client.llen(QUEUE) == 1


def test_a_redis_that_forgot_everything_gets_the_next_hint(
    client: redis.Redis, publisher: HintPublisher
) -> None:
    for _ in range(2):
        publisher(frozenset({("default", 1)}))
        assert client.llen(QUEUE) == 1
        client.flushall()


def test_no_hints_pile_up_when_nobody_reads_them(
    client: redis.Redis, publisher: HintPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hints, "FULL", 5)
    for _ in range(10):
        publisher(frozenset({("default", 1)}))
    assert client.llen(QUEUE) == 5


def test_stored_events_mark_their_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    marked: set[tuple[str, int]] = set()
    monkeypatch.setattr(partition_hints, "mark", marked.update)
    events_stored.send_robust(
        sender=None,
        project_ids=frozenset({1}),
        partitions=frozenset({4, 5}),
        received_at=datetime.now(UTC),
        using="default",
    )
    assert marked == {("default", 4), ("default", 5)}


@contextmanager
def worker(tmp_path: Path, server: OwnRedis) -> Iterator[Process]:
    urls = {
        "STREAMGAUGE_DATABASE_URL": with_database(server_url(), connections["default"].settings_dict["NAME"]),
        "STREAMGAUGE_REDIS_URL": server.url,
        "STREAMGAUGE_MODE": "worker",
    }
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency", "1"]
    process = Process(command, environment=child_environment(urls), log=tmp_path / "worker.log")
    try:
        yield process
    finally:
        process.stop()


@pytest.mark.django_db(transaction=True)
def test_a_worker_gets_on_without_redis_and_takes_hints_again_when_it_is_back(
    log: Log, tmp_path: Path, server: OwnRedis, client: redis.Redis, publisher: HintPublisher
) -> None:
    """Frozen, emptied, killed: rows alone are enough, and each time the worker comes back to the broker."""
    version = deploy(make_project())
    sent = 0

    def flush_and_wait(what: str) -> None:
        nonlocal sent
        log.flush(version.pipeline.project_id, [Sent(log.now(), key=f"k{n}") for n in range(20)])
        sent += 20
        wait_for(lambda: not log.waiting(), seconds=20, what=f"the log to be drained {what}")

    def hint_and_wait(what: str) -> None:
        publisher(frozenset({("default", 1)}))
        wait_for(lambda: not client.llen(QUEUE), seconds=60, what=f"the worker to read its queue {what}")

    with worker(tmp_path, server):
        flush_and_wait("by a sweep")
        hint_and_wait("at first")
        with frozen(server):
            flush_and_wait("while Redis is frozen")
            time.sleep(7)  # longer than the broker's socket timeout
            flush_and_wait("while Redis is still frozen")
        hint_and_wait("after the freeze")
        client.flushall()
        hint_and_wait("after FLUSHALL")
        os.kill(server.pid, signal.SIGKILL)
        flush_and_wait("while there is no Redis")
        server.server.ensure_running(lambda line: None)
        hint_and_wait("after the restart")
    assert log.counted(version) == sent
