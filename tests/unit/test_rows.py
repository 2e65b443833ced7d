"""Binary rows, byte by byte where PostgreSQL's documentation says so; the server reads them in integration."""

from struct import unpack

import pytest

from events.rows import (
    COPY_HEADER,
    COPY_TRAILER,
    EVENT_COLUMNS,
    NULL,
    attributed_row,
    copy_block,
    event_row,
    place_fields,
    text_field,
)
from events.rows import timestamp_array as stamps
from events.rows import uuid_array as uuids

EPOCH_2000 = 946_684_800_000_000


def row(value: float | None, data: bytes) -> bytes:
    kind, source, subject = (text_field(text) for text in ("t", "s", ""))
    placed = place_fields("ü", 63)
    return event_row(7, EPOCH_2000 + 5, bytes(range(16)), kind, source, subject, placed, NULL, value, data)


def fields(packed: bytes) -> list[bytes | None]:
    """The columns of a row without its last, as COPY lays them out."""
    (columns,) = unpack(">h", packed[:2])
    place, found = 2, []
    for _ in range(columns - 1):
        (length,) = unpack(">i", packed[place : place + 4])
        place += 4
        found.append(None if length < 0 else packed[place : place + length])
        place += max(length, 0)
    assert place == len(packed)
    return found


def test_a_row_has_its_columns_in_order() -> None:
    assert fields(row(1.5, b"{}")) == [
        b"\0\0\0\x07", b"\0\0\0\0\0\0\0\x05", bytes(range(16)), b"t", b"s", b"", "ü".encode(), b"\0\x3f", None, None,
        b"\x3f\xf8\0\0\0\0\0\0", b"\x01{}",
    ]  # fmt: skip
    assert EVENT_COLUMNS.count(",") + 1 == 13


def test_what_is_left_out_is_null() -> None:
    assert fields(row(None, b""))[8:] == [None, None, None, None]
    assert fields(row(None, b"{}"))[8:] == [None, None, None, b"\x01{}"]
    assert fields(row(0.0, b""))[8:] == [None, None, bytes(8), None]


@pytest.mark.parametrize("value", [None, 1.5])
@pytest.mark.parametrize("data", [b"", b'{"a":1}'])
def test_attributes_stand_in_place_of_their_null_and_change_nothing_else(
    value: float | None, data: bytes
) -> None:
    plain = row(value, data)
    with_attributes = fields(attributed_row(plain, b'{"b":2}', value, data))
    assert with_attributes[9] == b'\x01{"b":2}'
    assert [*with_attributes[:9], None, *with_attributes[10:]] == fields(plain)


def test_a_time_before_2000_is_negative() -> None:
    empty = text_field("")
    packed = event_row(1, 0, bytes(16), empty, empty, empty, place_fields("", 0), NULL, None, b"")
    assert unpack(">q", fields(packed)[1] or b"") == (-EPOCH_2000,)


def test_rows_sort_by_project_time_and_uid() -> None:
    empty, placed = text_field(""), place_fields("", 0)
    order = [(project, EPOCH_2000 + time, bytes([uid] * 16)) for project in (1, 256) for time in (0, 255, 2**40)
             for uid in (0, 127, 255)]  # fmt: skip
    rows = [event_row(*key, empty, empty, empty, placed, NULL, None, b"") for key in order]
    assert sorted(rows) == rows


def test_a_block_closes_each_row_with_the_time_of_receipt() -> None:
    end = b"\0\0\0\x08" + (1).to_bytes(8, "big")
    one, two = row(1.0, b""), row(2.0, b"{}")
    assert copy_block([one, two], EPOCH_2000 + 1) == COPY_HEADER + one + end + two + end + COPY_TRAILER


def test_empty_arrays_have_no_dimension() -> None:
    assert unpack(">iiI", uuids([])) == (0, 0, 2950)
    assert unpack(">iiI", stamps([])) == (0, 0, 1184)


def test_an_array_tells_its_type_and_length() -> None:
    assert unpack(">iiIii", uuids([bytes(16)] * 3)[:20]) == (1, 0, 2950, 3, 1)
    assert unpack(">iiIii", stamps([0] * 5)[:20]) == (1, 0, 1184, 5, 1)
