"""Scratch databases on the provisioned server: made, migrated, dropped."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from config import env
from tests.support.processes import child_environment, run_manage


def server_url() -> str:
    """The URL that `manage.py provision` wrote, or the operator set."""
    return env.text("STREAMGAUGE_DATABASE_URL")


def with_database(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@dataclass(frozen=True)
class ScratchDatabase:
    """One database of a test's own."""

    url: str = field(repr=False)  # holds a password

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.url, autocommit=True, connect_timeout=10)

    def rows(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, parameters: tuple[object, ...] = ()) -> Any:
        return self.rows(query, parameters)[0][0]

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> None:
        with self.connect() as connection:
            connection.execute(statement.encode(), parameters)


@contextmanager
def scratch_database(purpose: str, *, server: str | None = None) -> Iterator[ScratchDatabase]:
    """A migrated database named streamgauge_<purpose>_<random>, dropped at the end."""
    server = server or server_url()
    name = f"streamgauge_{purpose}_{secrets.token_hex(4)}"
    _administer(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    database = ScratchDatabase(with_database(server, name))
    try:
        environment = child_environment({"STREAMGAUGE_DATABASE_URL": database.url, **_redis()})
        run_manage(environment, "migrate", "--skip-checks", "--noinput", "--verbosity", "0")
        yield database
    finally:
        _administer(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _redis() -> dict[str, str]:
    url = os.environ.get("STREAMGAUGE_REDIS_URL")
    return {"STREAMGAUGE_REDIS_URL": url} if url else {}


def _administer(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(
        with_database(server, "postgres"), autocommit=True, connect_timeout=10
    ) as connection:
        connection.execute(statement)
