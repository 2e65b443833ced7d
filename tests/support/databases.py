"""Scratch databases on the provisioned server: copied from one that was migrated, and dropped."""

import atexit
import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
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
    name = _new_name(purpose)
    _create(server, name, template=_template(server))
    try:
        yield ScratchDatabase(with_database(server, name))
    finally:
        _drop(server, name)


@cache
def _template(server: str) -> str:
    """A migrated database of this run, to copy: a copy takes a tenth of what migrations take."""
    name = _new_name("template")
    _create(server, name, template="template0")  # unlike template1, nobody can be connected to it
    atexit.register(_drop_if_there, server, name)
    environment = child_environment({"STREAMGAUGE_DATABASE_URL": with_database(server, name), **_redis()})
    run_manage(environment, "migrate", "--skip-checks", "--noinput", "--verbosity", "0")
    # TimescaleDB's scheduler stays connected to any database that lets it, and a database in use is not copied.
    _administer(server, sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    _administer(
        server,
        sql.SQL("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}").format(
            sql.Literal(name)
        ),
    )
    return name


def _new_name(purpose: str) -> str:
    return f"streamgauge_{purpose}_{secrets.token_hex(4)}"


def _create(server: str, name: str, *, template: str) -> None:
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _administer(server, statement.format(sql.Identifier(name), sql.Identifier(template)))


def _drop(server: str, name: str) -> None:
    _administer(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _drop_if_there(server: str, name: str) -> None:
    """A server of a test's own has gone with its databases."""
    with contextlib.suppress(psycopg.OperationalError):
        _drop(server, name)


def _redis() -> dict[str, str]:
    url = os.environ.get("STREAMGAUGE_REDIS_URL")
    return {"STREAMGAUGE_REDIS_URL": url} if url else {}


def _administer(server: str, statement: sql.Composed) -> None:
    with psycopg.connect(
        with_database(server, "postgres"), autocommit=True, connect_timeout=10
    ) as connection:
        connection.execute(statement)
