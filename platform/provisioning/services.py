"""What `manage.py provision` does: bring the two servers up, say how they are, stop or remove them."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from provisioning import cluster, redis
from provisioning.environment import DATABASE, REDIS, chosen_by_operator, write_environment
from provisioning.external import check_database, check_redis
from provisioning.output import Say
from provisioning.packages import install_packages
from provisioning.places import Places
from provisioning.plan import Plan, choose_plan, parse_os_release
from provisioning.timescaledb import ensure_timescaledb, packages_to_build

OS_RELEASE = Path("/etc/os-release")
Server = Literal["postgres", "redis"]


@dataclass(frozen=True)
class ServerStatus:
    """How one server is: `state` is running, stopped, absent, or external (the operator's own)."""

    server: Server
    state: Literal["running", "stopped", "absent", "external"]
    port: int | None = None
    pid: int | None = None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def provision(*, places: Places, environment: Mapping[str, str], say: Say) -> list[Server]:
    """Bring both servers up; returns those that this call started. Safe to repeat."""
    database = chosen_by_operator(DATABASE, places.environment_file, environment)
    broker = chosen_by_operator(REDIS, places.environment_file, environment)
    started: list[Server] = []
    with _alone(places, say):
        if database:
            say(check_database(database))
        if broker:
            say(check_redis(broker))
        install_packages(_packages(database=not database, broker=not broker), say)
        if not database and _bring_up_database(places, say):
            started.append("postgres")
        if not broker and _bring_up_redis(places, say):
            started.append("redis")
    return started


def status(*, places: Places, environment: Mapping[str, str]) -> list[ServerStatus]:
    """How both servers are, without changing anything."""
    return [_database_status(places, environment), _redis_status(places, environment)]


def stop(*, places: Places, say: Say, only: tuple[Server, ...] = ("postgres", "redis")) -> None:
    """Stop the private servers that run; the operator's own are never touched."""
    with _alone(places, say):
        version = cluster.made_version(places)
        if "postgres" in only and version and cluster.private_cluster(places, version).stop():
            say("PostgreSQL is stopped.")
        if "redis" in only and _has_redis(places) and redis.private_redis(places).stop():
            say("Redis is stopped.")


def destroy(*, places: Places, say: Say) -> None:
    """Stop the private servers and delete their data for good."""
    stop(places=places, say=say)
    with _alone(places, say):
        for server in ("postgres", "redis"):
            places.remove_home(server)
        write_environment(places.environment_file, {DATABASE: None, REDIS: None})
    say("The private PostgreSQL and Redis are gone, with their data.")


def _bring_up_database(places: Places, say: Say) -> bool:
    plan = _plan()
    ensure_timescaledb(plan, say)
    private = cluster.private_cluster(places, plan.postgresql)
    started = private.ensure_running(say)
    write_environment(places.environment_file, {DATABASE: private.url})
    return started


def _bring_up_redis(places: Places, say: Say) -> bool:
    private = redis.private_redis(places)
    started = private.ensure_running(say)
    write_environment(places.environment_file, {REDIS: private.url})
    return started


def _packages(*, database: bool, broker: bool) -> list[str]:
    """Everything the private servers need, so that apt works once."""
    if not database and not broker:
        return []
    plan = _plan()
    servers = (*plan.postgresql_packages, *packages_to_build(plan)) if database else ()
    return [*servers, *(plan.redis_packages if broker else ())]


def _plan() -> Plan:
    return choose_plan(parse_os_release(OS_RELEASE.read_text()))


def _has_redis(places: Places) -> bool:
    return (places.home("redis") / "redis.conf").exists()


def _database_status(places: Places, environment: Mapping[str, str]) -> ServerStatus:
    if chosen_by_operator(DATABASE, places.environment_file, environment):
        return ServerStatus("postgres", "external")
    version = cluster.made_version(places)
    if version is None:
        return ServerStatus("postgres", "absent")
    private = cluster.private_cluster(places, version)
    pid = private.pid()
    return ServerStatus("postgres", "running" if pid else "stopped", private.port, pid)


def _redis_status(places: Places, environment: Mapping[str, str]) -> ServerStatus:
    if chosen_by_operator(REDIS, places.environment_file, environment):
        return ServerStatus("redis", "external")
    if not _has_redis(places):
        return ServerStatus("redis", "absent")
    private = redis.private_redis(places)
    pid = private.pid()
    return ServerStatus("redis", "running" if pid else "stopped", private.port, pid)


@contextmanager
def _alone(places: Places, say: Say) -> Iterator[None]:
    """One run at a time; the kernel frees the lock when its owner dies."""
    places.local.mkdir(exist_ok=True)
    with places.lock_file.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another `provision` to finish.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
