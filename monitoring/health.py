"""Whether this process can serve, and how each component is."""

import time
from collections.abc import Callable
from typing import Final, Literal, TypedDict

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from events.spool_settings import configured_waiting
from events.writer import breaker_state
from processing.selectors import lag

REDIS_SECONDS: Final = 0.5
LAG_WARNING_SECONDS: Final = 30.0

Status = Literal["ok", "degraded", "down"]


class Component(TypedDict):
    """How one part is: `degraded` costs comfort, `down` costs the service. `detail` says what to do."""

    status: Status
    detail: str
    milliseconds: float


class Health(TypedDict):
    """The worst of all components, and each by name."""

    status: Status
    components: dict[str, Component]


_migrated = False


def ping_database() -> None:
    """Raises django.db.Error when the database does not answer."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def is_migrated() -> bool:
    """Whether every migration of this release is applied; once true, it is not asked again."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def readiness() -> str:
    """Empty when this process can serve; otherwise what is missing and what to do about it."""
    try:
        ping_database()
        return "" if is_migrated() else "Migrations are missing: run `manage.py migrate`."
    except DatabaseError:
        return "The database does not answer: check that it runs and that STREAMGAUGE_DATABASE_URL is right."


def health() -> Health:
    """Every component's state; blocks for as long as the slowest answer, a few seconds at most."""
    checks: dict[str, Callable[[], Component]] = {
        "database": _database,
        "redis": _redis,
        "processing": _processing,
        "spool": _spool,
    }
    components = {name: _timed(check) for name, check in checks.items()}
    order: tuple[Status, ...] = ("ok", "degraded", "down")
    worst = max((each["status"] for each in components.values()), key=order.index)
    return {"status": worst, "components": components}


def _timed(check: Callable[[], Component]) -> Component:
    begun = time.perf_counter()
    found = check()
    found["milliseconds"] = round((time.perf_counter() - begun) * 1000, 1)
    return found


def _component(status: Status, detail: str = "") -> Component:
    return {"status": status, "detail": detail, "milliseconds": 0.0}


def _database() -> Component:
    missing = readiness()
    return _component("down" if missing else "ok", missing)


def _redis() -> Component:
    client = Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client:
            client.ping()
    except (RedisError, OSError):
        return _component(
            "degraded",
            "Redis does not answer: events are stored, but pages and workers poll. Start it again.",
        )
    return _component("ok")


def _spool() -> Component:
    """This process's circuit breaker, and what the processes of this machine keep for the database."""
    breaker = f"Circuit breaker {breaker_state('default').replace('_', '-')}."
    waiting = configured_waiting()
    if waiting is None:
        return _component("ok", f"Off. {breaker}")
    if not waiting.entries:
        return _component("ok", f"Empty. {breaker}")
    held = f"{waiting.events} events in {waiting.entries} flushes ({waiting.bytes} bytes) wait to be stored. {breaker}"
    if waiting.failed:
        held += (
            f" {waiting.failed} flushes were refused by the database: see the log for spool_entry_not_stored."
        )
    return _component("degraded", held)


def _processing() -> Component:
    try:
        found = lag()
    except DatabaseError:
        return _component("down", "The log cannot be read: see the database.")
    seconds = found.seconds
    if seconds > LAG_WARNING_SECONDS:
        return _component("degraded", f"Events wait {seconds:.0f} s for their windows: start more workers.")
    return _component("ok", f"{seconds:.1f} s behind.")
