"""Arrays that rows.py packed, as psycopg parameters."""

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from events import rows


class PackedUuids(bytes):
    """uuid[] in binary form."""

    @classmethod
    def of(cls, keys: Sequence[bytes]) -> "PackedUuids":
        return cls(rows.uuid_array(keys))


class PackedTimes(bytes):
    """timestamptz[] in binary form."""

    @classmethod
    def of(cls, stamps_us: Sequence[int]) -> "PackedTimes":
        return cls(rows.timestamp_array(stamps_us))


class _PackedDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: bytes) -> bytes:
        return bytes(obj)


class _UuidsDumper(_PackedDumper):
    oid = 2951


class _TimesDumper(_PackedDumper):
    oid = 1185


def register_packed_arrays(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    connection.adapters.register_dumper(PackedUuids, _UuidsDumper)
    connection.adapters.register_dumper(PackedTimes, _TimesDumper)
