"""Servers of a test's own, where a fault would hurt whoever shares the provisioned ones."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from provisioning.cluster import Cluster, private_cluster
from provisioning.places import Places
from provisioning.redis import Redis, private_redis


@dataclass(frozen=True)
class OwnRedis:
    """A Redis nobody else uses."""

    server: Redis

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def pid(self) -> int:
        pid = self.server.pid()
        assert pid is not None, "this Redis does not run"
        return pid


@contextmanager
def own_redis(folder: Path) -> Iterator[OwnRedis]:
    """A Redis configured as `manage.py provision` does, on a free port, removed at the end."""
    places = _places(folder)
    server = private_redis(places)
    server.ensure_running(_quiet)
    try:
        yield OwnRedis(server)
    finally:
        server.stop()
        places.remove_home("redis")


@contextmanager
def own_cluster(folder: Path, postgresql: int) -> Iterator[Cluster]:
    """A PostgreSQL cluster as `manage.py provision` makes one, on a free port, removed at the end."""
    places = _places(folder)
    cluster = private_cluster(places, postgresql)
    cluster.ensure_running(_quiet)
    try:
        yield cluster
    finally:
        cluster.stop()
        places.remove_home("postgres")


def server_major(url: str) -> int:
    with psycopg.connect(url, connect_timeout=10) as connection:
        return connection.info.server_version // 10_000


def has_server_programs(postgresql: int) -> bool:
    return shutil.which("initdb", path=f"/usr/lib/postgresql/{postgresql}/bin") is not None


def _places(folder: Path) -> Places:
    folder.mkdir(parents=True, exist_ok=True)
    return Places(folder)


def _quiet(line: str) -> None:
    """Provisioning tells its steps; a test need not."""
