"""The log's partitions, fixed at install: changing their number would break per-key order."""

from zlib import crc32

PARTITIONS = 64


def partition_of(project_id: int, key: str) -> int:
    """hash(project, partition key) mod PARTITIONS, the same in every process and for ever."""
    return crc32(key.encode(), project_id & 0xFFFFFFFF) % PARTITIONS
