"""The raw connection a worker thread folds and closes windows on: prepared statements, binary parameters."""

import os
import threading
from typing import Any

import psycopg

from events.connections import conninfo
from events.packed import register_packed_arrays

type_Connection = psycopg.Connection[tuple[Any, ...]]
type_Cursor = psycopg.Cursor[tuple[Any, ...]]


class _Own(threading.local):
    """What one thread has open; `pid` tells a forked child that they are its parent's."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.by_conninfo: dict[str, type_Connection] = {}


_own = _Own()


def worker_connection(using: str) -> type_Connection:
    """This thread's connection to a database alias; a new one when the last broke.

    Commits do not wait for the disk. That is safe for what runs here: a drain's state and its deletion of
    segments are one transaction, so a crash of the server loses both or none, and what it loses is folded
    again from the segments. A later commit that does wait makes everything before it durable too.
    """
    if _own.pid != os.getpid():
        _own.__init__()  # type: ignore[misc]
    target = conninfo(using)
    connection = _own.by_conninfo.get(target)
    if connection is None or connection.closed:
        connection = psycopg.connect(target, autocommit=True, prepare_threshold=1)
        register_packed_arrays(connection)
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET TIME ZONE 'UTC'")
        _own.by_conninfo[target] = connection
    return connection


def close_worker_connections() -> None:
    """Close what this thread has open."""
    for connection in _own.by_conninfo.values():
        connection.close()
    _own.by_conninfo.clear()
