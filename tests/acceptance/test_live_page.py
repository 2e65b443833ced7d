"""From an event sent by HTTP to the frame on the live socket, with real processes, also when Redis is frozen."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.databases import scratch_database
from tests.support.servers import OwnRedis, own_redis
from tests.support.stack import Seeded, Serving, Stack, running_stack
from tests.support.waiting import wait_for
from tests.support.watching import Watcher


@dataclass
class Site:
    """The product with a Redis of its own."""

    stack: Stack
    redis: OwnRedis
    web: Serving
    ingest: Serving
    project: Seeded

    def send(self, count: int) -> None:
        answer = httpx.post(
            f"http://127.0.0.1:{self.ingest.port}/api/v1/events",
            json=[{"type": "order.placed"}] * count,
            headers={"Authorization": f"Bearer {self.project.ingest_key}"},
            timeout=10,
        )
        assert answer.json()["accepted"] == count


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("site")
    with (
        own_redis(folder) as redis,
        scratch_database("live") as database,
        running_stack(database, folder, redis_url=redis.url) as stack,
    ):
        yield Site(stack, redis, stack.start_web(), stack.start_ingest(), stack.seed("river"))


def test_an_event_sent_by_http_reaches_the_socket(site: Site) -> None:
    with Watcher(site.web.port, site.project) as watcher:
        before = watcher.accepted
        site.send(5)
        wait_for(lambda: watcher.accepted == before + 5, seconds=5, what="five more events on the socket")


def test_a_frozen_redis_neither_stops_the_page_nor_keeps_new_ones_out(site: Site) -> None:
    with Watcher(site.web.port, site.project) as watcher:
        os.kill(site.redis.pid, signal.SIGSTOP)
        try:
            before = watcher.accepted
            site.send(3)
            wait_for(lambda: watcher.accepted == before + 3, seconds=10, what="three events by polling")
            with Watcher(site.web.port, site.project) as newcomer:
                assert newcomer.accepted == before + 3
        finally:
            os.kill(site.redis.pid, signal.SIGCONT)
        site.send(2)
        wait_for(lambda: watcher.accepted == before + 5, seconds=10, what="two more after the thaw")


@contextmanager
def never_read(site: Site) -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{site.web.port}/ws/v1/live"
    with connect(address, proxy=None, max_queue=1, ping_interval=None, close_timeout=0.1) as socket:
        socket.send(json.dumps({"auth": site.project.read_key}))
        socket.send(json.dumps({"subscribe": "overview", "params": {"project": site.project.slug}}))
        yield socket


def test_sockets_that_never_read_are_noticed_by_nobody(site: Site) -> None:
    with ExitStack() as sockets:
        for _ in range(20):
            sockets.enter_context(never_read(site))
        with Watcher(site.web.port, site.project) as watcher:
            before = watcher.accepted
            for _ in range(5):
                site.send(1)
            wait_for(lambda: watcher.accepted == before + 5, seconds=5, what="the others' events")
