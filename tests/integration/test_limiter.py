"""The limiter and a Redis of its own that freezes, forgets and dies."""

import concurrent.futures
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.db import connections

from accounts.allowances import Allowance, KeyLimits
from accounts.identity import KeyIdentity
from events.errors import LimitExceeded
from events.limiter import Limiter
from provisioning.processes import ingest_command
from tests.support.databases import server_url, with_database
from tests.support.doors import ServerDoor
from tests.support.ingest import Books, Tenant, post
from tests.support.processes import Process, child_environment, free_port
from tests.support.servers import OwnRedis, own_redis
from tests.support.waiting import wait_for

SECONDS = 20.0
# Wide of the 50 ms that a request may wait: a machine busy with other work adds its own.
PROMPT_SECONDS = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with own_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def client(server: OwnRedis) -> Iterator[redis.Redis]:
    server.server.ensure_running(lambda line: None)
    client = redis.Redis.from_url(server.url)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def limiters(server: OwnRedis, client: redis.Redis) -> Iterator[list[Limiter]]:
    """Two processes' limiters."""
    limiters = [Limiter(url=server.url), Limiter(url=server.url)]
    yield limiters
    for limiter in limiters:
        limiter.close()


@contextmanager
def frozen(server: OwnRedis) -> Iterator[None]:
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def key(rate: int = 1, burst: int = 100, *, number: int = 1) -> KeyIdentity:
    limits = KeyLimits(key=Allowance(rate, burst))
    return KeyIdentity(number, "prefix", 1, "demo", frozenset({"ingest"}), None, 90, None, limits=limits)


def settled(limiter: Limiter, identity: KeyIdentity) -> bool:
    """Ask as a door does, more patiently; whether Redis answered."""
    concurrent.futures.wait(limiter.pending(identity), timeout=SECONDS)
    return not limiter.pending(identity)


def passes(limiter: Limiter, identity: KeyIdentity, events: int) -> bool:
    try:
        limiter.charge(identity, events)
    except LimitExceeded:
        return False
    return True


def test_a_key_that_rested_learns_first_what_others_took(
    limiters: list[Limiter], client: redis.Redis
) -> None:
    mine, yours = limiters
    assert settled(mine, key())
    assert passes(mine, key(), 90)
    wait_for(lambda: client.keys("*"), seconds=SECONDS, what="Redis to be told")
    assert settled(yours, key())
    assert not passes(yours, key(), 20)
    assert passes(yours, key(), 10)


def test_what_both_let_through_at_once_is_a_debt(limiters: list[Limiter]) -> None:
    mine, yours = limiters
    assert settled(mine, key())
    assert settled(yours, key())
    assert passes(mine, key(), 100)
    both = passes(yours, key(), 100)

    def shut_for_both() -> bool:
        with pytest.raises(LimitExceeded) as caught:
            yours.charge(key(), 1)
        return settled(yours, key()) and caught.value.retry_after > 90

    # It may have been told in time; if not, the bucket is shut for as long as the two took together.
    if both:
        wait_for(shut_for_both, seconds=SECONDS, what="the debt to be known")
    else:
        assert not passes(yours, key(), 5)


def test_a_bucket_in_redis_ends_when_it_is_full(limiters: list[Limiter], client: redis.Redis) -> None:
    assert passes(limiters[0], key(rate=1_000), 100)
    wait_for(lambda: not client.keys("*"), seconds=SECONDS, what="the key to expire")


def test_steady_use_never_waits_and_asks_redis_less_than_once_a_request(
    limiters: list[Limiter], client: redis.Redis
) -> None:
    limiter, identity = limiters[0], key(rate=1_000_000, burst=1_000_000)
    assert settled(limiter, identity)
    before = calls(client)
    for _ in range(2_000):
        assert not limiter.pending(identity)
        limiter.charge(identity, 100)
    assert calls(client) - before < 200


def calls(client: redis.Redis) -> int:
    stats = client.info("commandstats")
    assert isinstance(stats, dict)
    return int(stats.get("cmdstat_evalsha", {"calls": 0})["calls"])


def test_a_frozen_redis_holds_nobody_up_and_each_process_counts_alone(
    limiters: list[Limiter], server: OwnRedis
) -> None:
    mine, yours = limiters
    assert settled(mine, key())
    with frozen(server):
        begun = time.monotonic()
        while time.monotonic() - begun < 2.5:  # longer than a bucket stays known and than Redis is left alone
            asked = time.monotonic()
            concurrent.futures.wait(mine.pending(key()), timeout=0.05)
            passes(mine, key(rate=1_000_000, burst=1_000_000, number=2), 1)
            assert time.monotonic() - asked < PROMPT_SECONDS
        assert passes(mine, key(), 100)
        assert not passes(mine, key(), 10)
        assert passes(yours, key(), 100)


def test_after_a_freeze_processes_share_again_and_nothing_is_held_against_anybody(
    limiters: list[Limiter], server: OwnRedis
) -> None:
    mine, yours = limiters
    steady = key(rate=100, burst=100)
    assert settled(mine, steady)
    with frozen(server):
        deadline = time.monotonic() + 3.5
        while time.monotonic() < deadline:
            passes(mine, steady, 1)
    passes(mine, steady, 1)
    wait_for(
        lambda: passes(mine, steady, 1) and settled(mine, steady),
        seconds=SECONDS,
        what="Redis to be asked again",
    )
    wait_for(lambda: passes(mine, steady, 50), seconds=SECONDS, what="fifty to pass")
    assert settled(yours, key())
    assert passes(yours, key(), 100)
    wait_for(lambda: settled(mine, key()) and not passes(mine, key(), 5), seconds=SECONDS, what="the share")


def test_without_any_redis_each_process_counts_alone() -> None:
    limiter = Limiter(url="redis://127.0.0.1:1/0")
    concurrent.futures.wait(limiter.pending(key()), timeout=SECONDS)
    assert passes(limiter, key(), 100)
    assert not passes(limiter, key(), 10)
    wait_for(lambda: not limiter.pending(key()), seconds=SECONDS, what="nobody to wait any more")
    limiter.close()


@pytest.fixture
def serving(server: OwnRedis, books: Books, tmp_path: Path) -> Iterator[ServerDoor]:
    """An ingest process that has this Redis."""
    urls = {
        "STREAMGAUGE_DATABASE_URL": with_database(server_url(), connections["default"].settings_dict["NAME"]),
        "STREAMGAUGE_REDIS_URL": server.url,
        "STREAMGAUGE_MODE": "ingest",
    }
    port = free_port()
    process = Process(
        ingest_command("127.0.0.1", port), environment=child_environment(urls), log=tmp_path / "ingest.log"
    )
    process.wait_until_listening(port)
    door = ServerDoor(port)
    yield door
    door.close()
    process.stop()


def test_a_limited_key_sends_on_while_redis_is_frozen_and_dead(
    serving: ServerDoor, server: OwnRedis, client: redis.Redis, tenant: Tenant, books: Books
) -> None:
    limited = tenant.limited_key(Allowance(rate=1_000, burst=10_000))
    sent = 0

    def send() -> None:
        nonlocal sent
        begun = time.monotonic()
        assert post(serving, limited, [{"type": "ping"}] * 5).status == 200
        # All of it, with the COMMIT: nothing waited for a socket's timeout of seconds.
        assert time.monotonic() - begun < 2 * PROMPT_SECONDS
        sent += 5

    def send_for(seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            send()

    send()
    with frozen(server):
        send_for(3.0)
    send()
    os.kill(server.pid, signal.SIGKILL)
    send_for(1.5)
    over = post(serving, tenant.limited_key(Allowance(rate=1, burst=10)), [{"type": "ping"}] * 11)
    assert over.status == 413
    assert books.stored(tenant.id) == sent
