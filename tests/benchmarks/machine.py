"""What the figures were taken on."""

import os
import platform
from typing import Any

import psycopg

SETTINGS = (
    "synchronous_commit", "fsync", "full_page_writes", "wal_compression", "wal_sync_method", "shared_buffers",
    "max_wal_size", "checkpoint_timeout",
)  # fmt: skip


def describe_machine(connection: "psycopg.Connection[Any]") -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    extension = "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    return {
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": _one(connection, "SHOW server_version"),
        "timescaledb": f"{_one(connection, extension)} ({_one(connection, 'SHOW timescaledb.license')})",
        "settings": ", ".join(f"{name} {_one(connection, f'SHOW {name}')}" for name in SETTINGS),
    }


def _one(connection: "psycopg.Connection[Any]", query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else "unknown"
