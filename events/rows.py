"""Rows in PostgreSQL's binary COPY and array formats, packed here because it is the hot path. Pure.

Source: PostgreSQL documentation, COPY "Binary Format"; array_send and timestamptz_send in its source.
"""

from collections.abc import Sequence
from struct import Struct

EPOCH_2000_US = 946_684_800_000_000  # PostgreSQL counts microseconds from 2000-01-01, Python from 1970
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"

_length = Struct(">i").pack
_head = Struct(">hiiiqi16s").pack
_partition = Struct(">ih").pack
_double = Struct(">id").pack
_stamp = Struct(">iq").pack
_json = Struct(">iB").pack  # length and the version byte of jsonb
_null_double_and_json = Struct(">iidiB").pack
_array_head = Struct(">iiIii").pack

_EVENT_COLUMNS = 13
EVENT_COLUMNS = (
    "project_id, time, uid, type, source, subject, partition_key, partition, event_id, attributes, value, data, "
    "received_at"
)


def text_field(text: str) -> bytes:
    encoded = text.encode()
    return _length(len(encoded)) + encoded


def place_fields(key: str, partition: int) -> bytes:
    """partition_key and partition, which go together."""
    return text_field(key) + _partition(2, partition)


def event_row(
    project_id: int,
    time_us: int,
    uid: bytes,
    type_field: bytes,
    source_field: bytes,
    subject_field: bytes,
    placed: bytes,
    id_field: bytes,
    value: float | None,
    data: bytes,
) -> bytes:
    """A row of `event` up to received_at, which only the flush knows. Texts come as `text_field`s or NULL.

    `time_us` is microseconds since 1970, `uid` 16 bytes, `placed` from `place_fields`, `data` JSON text or b"".
    Rows sort as (project_id, time, uid) do, but for times before 2000, which come last. `attributes` is NULL.
    """
    if value is not None and data:
        rest = _null_double_and_json(-1, 8, value, len(data) + 1, 1)
    else:
        rest = (
            NULL
            + (NULL if value is None else _double(8, value))
            + (_json(len(data) + 1, 1) if data else NULL)
        )
    head = _head(_EVENT_COLUMNS, 4, project_id, 8, time_us - EPOCH_2000_US, 16, uid)
    return b"".join((head, type_field, source_field, subject_field, placed, id_field, rest, data))


def attributed_row(row: bytes, attributes: bytes, value: float | None, data: bytes) -> bytes:
    """An `event_row`, made with this value and data, with `attributes` (JSON text) in place of their NULL."""
    behind = (4 if value is None else 12) + (5 + len(data) if data else 4)
    place = len(row) - behind - len(NULL)
    return b"".join((row[:place], _json(len(attributes) + 1, 1), attributes, row[-behind:]))


def copy_block(rows: Sequence[bytes], received_us: int) -> bytes:
    """A whole COPY stream: rows from `event_row`, each closed by received_at."""
    end = _stamp(8, received_us - EPOCH_2000_US)
    return b"".join((COPY_HEADER, end.join(rows), end, COPY_TRAILER))


def uuid_array(keys: Sequence[bytes]) -> bytes:
    """uuid[] from 16-byte keys."""
    prefix = b"\0\0\0\x10"
    return (
        _array_head(1, 0, 2950, len(keys), 1) + prefix + prefix.join(keys)
        if keys
        else _array_head(0, 0, 2950, 0, 0)[:12]
    )


def timestamp_array(stamps_us: Sequence[int]) -> bytes:
    """timestamptz[] from microseconds since 1970."""
    if not stamps_us:
        return _array_head(0, 0, 1184, 0, 0)[:12]
    body = Struct(">" + "iq" * len(stamps_us))
    flat: list[int] = []
    for stamp in stamps_us:
        flat += (8, stamp - EPOCH_2000_US)
    return _array_head(1, 0, 1184, len(stamps_us), 1) + body.pack(*flat)
