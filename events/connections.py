"""Raw psycopg connections for the paths that do without the ORM, to the same servers as Django's aliases."""

from typing import Any

import psycopg
from django.db import connections
from psycopg.conninfo import make_conninfo

WRITER_IDLE_IN_TRANSACTION = "5s"


def conninfo(using: str = "default") -> str:
    """The libpq connection string of a database alias, as Django would use it now."""
    settings = connections[using].settings_dict
    options = {key: value for key, value in settings["OPTIONS"].items() if key != "pool"}
    named = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}  # fmt: skip
    for keyword, name in named.items():
        if settings.get(name):
            options[keyword] = settings[name]
    return make_conninfo("", **options)


def connect_writer(using: str) -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection of the writer's own: durable commits, and locks that die with a frozen process."""
    connection = psycopg.connect(conninfo(using), autocommit=True, prepare_threshold=1)
    connection.execute("SET synchronous_commit = on")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{WRITER_IDLE_IN_TRANSACTION}'")
    return connection
