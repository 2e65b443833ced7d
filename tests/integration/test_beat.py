"""However many beats run, one of them sends."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import psycopg
import pytest
import redis
from django.db import connections

from config.beat import BEAT, BeatLock
from events.connections import conninfo
from tests.support.databases import server_url, with_database
from tests.support.processes import ROOT, Process, child_environment
from tests.support.servers import own_redis
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)
HOLDER = (
    "SELECT a.application_name || a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objid = %s AND l.granted AND a.datname = current_database()"
)


@pytest.fixture
def administrator() -> Iterator["psycopg.Connection[tuple[str]]"]:
    with psycopg.connect(conninfo(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def locks() -> Iterator[tuple[BeatLock, BeatLock]]:
    locks = BeatLock(), BeatLock()
    yield locks
    for lock in locks:
        lock.release()


def test_only_one_has_the_lock_and_the_next_gets_it_when_that_one_lets_go(
    locks: tuple[BeatLock, BeatLock],
) -> None:
    first, second = locks
    assert [first.hold(), second.hold(), first.hold()] == [True, False, True]
    first.release()
    wait_for(second.hold, seconds=10, what="the lock to be free")


def test_a_holder_whose_session_is_ended_knows_it_and_tries_again(
    locks: tuple[BeatLock, BeatLock], administrator: "psycopg.Connection[tuple[str]]"
) -> None:
    lock, _ = locks
    assert lock.hold()
    administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE objid = %s", [BEAT])
    wait_for(lambda: not lock.hold(), seconds=10, what="the loss to be known")
    wait_for(lock.hold, seconds=10, what="the lock to be had again")


def test_a_beat_that_freezes_or_dies_is_replaced_and_the_tree_stays_clean(
    administrator: "psycopg.Connection[tuple[str]]", tmp_path: Path
) -> None:
    with own_redis(tmp_path / "redis") as server, ExitStack() as stack:
        client = redis.Redis.from_url(server.url)
        stack.callback(client.close)
        urls = {
            "STREAMGAUGE_DATABASE_URL": with_database(
                server_url(), connections["default"].settings_dict["NAME"]
            ),
            "STREAMGAUGE_REDIS_URL": server.url,
        }
        beats: list[Process] = []

        def start() -> None:
            command = [sys.executable, "-m", "celery", "-A", "config", "beat", "--pidfile="]
            log = tmp_path / f"beat{len(beats)}.log"
            beats.append(Process(command, environment=child_environment(urls), log=log))
            stack.callback(beats[-1].stop)

        def holders() -> list[tuple[str]]:
            return administrator.execute(HOLDER, [BEAT]).fetchall()

        def sends_again(seconds: float, what: str) -> None:
            client.flushall()
            wait_for(lambda: cast("int", client.llen("celery")) >= 3, seconds=seconds, what=what)

        start()
        sends_again(40, "the first beat to send")
        headers = [
            json.loads(message)["headers"] for message in cast("list[bytes]", client.lrange("celery", 0, -1))
        ]
        assert [header["task"] for header in headers if header["expires"] is None] == []
        start()
        frozen = beats[0]
        [first] = holders()
        frozen.signal_one(signal.SIGSTOP)
        wait_for(lambda: holders() not in ([], [first]), seconds=30, what="the lock to change hands")
        sends_again(10, "the second beat to send")
        frozen.signal_one(signal.SIGCONT)
        [second] = holders()
        beats[1].kill()
        wait_for(
            lambda: holders() not in ([], [second]), seconds=30, what="the first beat to take over again"
        )
        sends_again(10, "the first beat to send again")
    assert list(ROOT.glob("celerybeat*")) == []
