"""Keys resolved against a real PostgreSQL, by the asyncio door and by the synchronous one."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from channels.db import database_sync_to_async
from django.db import connection
from django.utils import timezone
from psycopg.conninfo import make_conninfo
from pytest_django import DjangoAssertNumQueries

from accounts.errors import InvalidKey, KeysUnavailable
from accounts.key_reader import KeyReader
from accounts.key_text import generate_key
from accounts.keys import KeyCache
from accounts.models import ApiKey, Project
from accounts.roles import Scope
from accounts.services import CreatedKey, create_key, create_project, revoke_key

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def conninfo() -> str:
    settings = connection.settings_dict
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "pool"}
    return make_conninfo(
        "",
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        host=settings["HOST"],
        port=settings["PORT"],
        **options,
    )


@pytest.fixture
def project() -> Project:
    return create_project(slug="demo", name="Demo", raw_retention_days=30, live_limit_days=2)


@pytest.fixture
def key(project: Project) -> CreatedKey:
    return create_key(project=project, scopes=[Scope.INGEST])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def cache(clock: Clock) -> AsyncIterator[KeyCache]:
    cache = KeyCache(conninfo=conninfo, monotonic=clock)
    yield cache
    await cache.close()


@pytest.fixture
async def real_time_cache() -> AsyncIterator[KeyCache]:
    cache = KeyCache(conninfo=conninfo)
    yield cache
    await cache.close()


@pytest.fixture
def queries(cache: KeyCache, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that the cache sent, and it still sends them."""
    sent: list[str] = []
    execute = cache._execute

    async def recording(sql: str, parameters: dict[str, object]) -> object:
        sent.append(sql)
        return await execute(sql, parameters)

    monkeypatch.setattr(cache, "_execute", recording)
    return sent


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> float:
    """Wait for a condition; how long it took."""
    began = time.monotonic()
    while not await condition():
        assert time.monotonic() - began < seconds, "the condition never came"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


revoke = database_sync_to_async(revoke_key)


async def refused(cache: KeyCache, text: str) -> bool:
    try:
        await cache.resolve(text)
    except InvalidKey:
        return True
    return False


async def test_it_knows_the_key_its_project_and_its_limits(cache: KeyCache, key: CreatedKey) -> None:
    identity = await cache.resolve(key.text)
    assert identity.key_id == key.key.pk
    assert identity.project_id == key.key.project_id
    assert identity.project_slug == "demo"
    assert identity.scopes == {"ingest"}
    assert identity.expires_at is None
    assert (identity.raw_retention_days, identity.live_limit_days) == (30, 2)


async def test_many_requests_at_once_cost_one_query(
    cache: KeyCache, key: CreatedKey, queries: list[str]
) -> None:
    await asyncio.gather(*(cache.resolve(key.text) for _ in range(200)))
    for _ in range(200):
        await cache.resolve(key.text)
    assert len(queries) == 1


async def test_a_steady_stream_never_waits_for_the_database(
    cache: KeyCache, key: CreatedKey, queries: list[str], clock: Clock
) -> None:
    await cache.resolve(key.text)
    for _ in range(20):
        clock.now += 0.5
        assert cache.resolve_cached(key.text) is not None
        await until(lambda: _done(cache))
    assert len([sql for sql in queries if "SELECT key.prefix" in sql]) == 21


async def _done(cache: KeyCache) -> bool:
    return not cache._pending


async def test_a_revoked_key_is_refused_when_its_entry_is_read_again(
    cache: KeyCache, key: CreatedKey, clock: Clock
) -> None:
    await cache.resolve(key.text)
    await revoke(key=key.key)
    clock.now += 0.39
    await cache.resolve(key.text)
    clock.now += 0.51
    with pytest.raises(InvalidKey, match="revoked"):
        await cache.resolve(key.text)


async def test_revocation_is_effective_in_under_a_second_of_real_time(
    real_time_cache: KeyCache, key: CreatedKey
) -> None:
    await real_time_cache.resolve(key.text)
    await revoke(key=key.key)
    assert await until(lambda: refused(real_time_cache, key.text)) < 1.0


async def test_an_expired_key_is_refused_by_the_database_s_clock(
    real_time_cache: KeyCache, project: Project
) -> None:
    soon = timezone.now() + timedelta(seconds=0.5)
    key = await database_sync_to_async(create_key)(project=project, scopes=[Scope.READ], expires_at=soon)
    assert (await real_time_cache.resolve(key.text)).expires_at == soon
    assert await until(lambda: refused(real_time_cache, key.text)) < 1.0


async def test_a_flood_of_unknown_keys_is_read_in_few_queries(cache: KeyCache, queries: list[str]) -> None:
    texts = [generate_key().text for _ in range(3000)]
    answers = await asyncio.gather(*(cache.resolve(text) for text in texts), return_exceptions=True)
    assert all(isinstance(answer, InvalidKey) for answer in answers)
    assert len(queries) <= 5


async def test_a_key_made_after_it_was_unknown_is_accepted_within_a_second(
    cache: KeyCache, key: CreatedKey, clock: Clock
) -> None:
    await database_sync_to_async(_rename)(key.key, "aaaaaaaaaa")
    with pytest.raises(InvalidKey, match="not known"):
        await cache.resolve(key.text)
    await database_sync_to_async(_rename)(key.key, key.key.prefix)
    clock.now += 0.9
    assert (await cache.resolve(key.text)).key_id == key.key.pk


def _rename(key: ApiKey, prefix: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_apikey SET prefix = %s WHERE id = %s", [prefix, key.pk])


async def test_a_use_is_noted_once_a_minute_and_not_in_the_audit_log(
    cache: KeyCache, key: CreatedKey, clock: Clock
) -> None:
    await cache.resolve(key.text)
    await cache._touch()
    first = await database_sync_to_async(_last_used)(key)
    assert first is not None
    assert abs((timezone.now() - first).total_seconds()) < 30
    await cache.resolve(key.text)
    await cache._touch()
    assert await database_sync_to_async(_last_used)(key) == first
    await database_sync_to_async(_forget_use)(key)
    clock.now += 90
    await cache.resolve(key.text)
    await cache._touch()
    assert await database_sync_to_async(_last_used)(key) > first - timedelta(hours=1)


def _last_used(key: CreatedKey) -> object:
    return ApiKey.objects.get(pk=key.key.pk).last_used_at


def _forget_use(key: CreatedKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_apikey SET last_used_at = now() - interval '1 day'")


async def test_noting_a_use_does_not_wait_for_someone_editing_the_key(
    cache: KeyCache, key: CreatedKey
) -> None:
    await cache.resolve(key.text)
    async with await psycopg.AsyncConnection.connect(conninfo()) as editor:
        await editor.execute("SELECT 1 FROM accounts_apikey WHERE id = %s FOR UPDATE", [key.key.pk])
        began = time.monotonic()
        await cache._touch()
        assert time.monotonic() - began < 1.0
    assert await database_sync_to_async(_last_used)(key) is None


async def test_closing_writes_the_last_uses_down(key: CreatedKey) -> None:
    cache = KeyCache(conninfo=conninfo)
    await cache.resolve(key.text)
    await cache.close()
    assert await database_sync_to_async(_last_used)(key) is not None


async def test_a_database_away_is_said_and_not_taken_for_a_bad_key(key: CreatedKey) -> None:
    cache = KeyCache(conninfo="host=127.0.0.1 port=1 connect_timeout=2")
    with pytest.raises(KeysUnavailable, match="Try again"):
        await cache.resolve(key.text)
    with pytest.raises(InvalidKey):
        await cache.resolve("not a key")
    await cache.close()


async def test_a_database_that_hangs_costs_two_seconds_and_no_more(key: CreatedKey) -> None:
    hung_up = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cache = KeyCache(conninfo=f"host=127.0.0.1 port={port} dbname=x sslmode=disable gssencmode=disable")
    try:
        began = time.monotonic()
        with pytest.raises(KeysUnavailable):
            await cache.resolve(key.text)
        assert time.monotonic() - began < 4.0  # two, on a machine with nothing else to do
    finally:
        await cache.close()
        await asyncio.wait_for(hung_up.wait(), 10)
        server.close()


async def test_a_killed_connection_is_replaced_within_the_same_request(
    cache: KeyCache, key: CreatedKey, clock: Clock
) -> None:
    await cache.resolve(key.text)
    assert cache._connection is not None
    await database_sync_to_async(_terminate)(cache._connection.info.backend_pid)
    clock.now += 1
    assert await cache.resolve(key.text)


async def test_a_blocked_query_is_given_up_and_the_next_one_answered(
    cache: KeyCache, key: CreatedKey, clock: Clock
) -> None:
    await cache.resolve(key.text)
    clock.now += 1
    async with await psycopg.AsyncConnection.connect(conninfo()) as blocker:
        await blocker.execute("LOCK TABLE accounts_apikey IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        with pytest.raises(KeysUnavailable):
            await cache.resolve(key.text)
        assert time.monotonic() - began < 3.5
    began = time.monotonic()
    assert await cache.resolve(key.text)
    assert time.monotonic() - began < 1.0


def _terminate(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


async def test_two_queries_at_once_leave_one_connection_open(
    cache: KeyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them connects while the other is through already and brings its connection back."""
    made: list[psycopg.AsyncConnection[Any]] = []
    connecting, go_on, connect = asyncio.Event(), asyncio.Event(), cache._connect

    async def first_is_slow() -> psycopg.AsyncConnection[Any]:
        made.append(await connect())
        if len(made) == 1:
            connecting.set()
            await go_on.wait()
            return made[0]
        return made[-1]

    monkeypatch.setattr(cache, "_connect", first_is_slow)
    slow = asyncio.create_task(cache._query("SELECT 1", {}))
    await asyncio.wait_for(connecting.wait(), 10)
    await cache._query("SELECT 1", {})
    go_on.set()
    await slow
    assert [connection.closed for connection in made].count(False) == 1


def test_the_synchronous_door_reads_once_and_notes_the_use(
    key: CreatedKey, clock: Clock, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    reader = KeyReader(monotonic=clock)
    with django_assert_num_queries(2):
        for _ in range(5):
            assert reader.resolve(key.text).key_id == key.key.pk
    assert _last_used(key) is not None
    clock.now += 1
    with django_assert_num_queries(1):
        reader.resolve(key.text)


def test_the_synchronous_door_refuses_a_revoked_key_within_a_second(key: CreatedKey, clock: Clock) -> None:
    reader = KeyReader(monotonic=clock)
    reader.resolve(key.text)
    revoke_key(key=key.key)
    clock.now += 0.9
    with pytest.raises(InvalidKey, match="revoked"):
        reader.resolve(key.text)
