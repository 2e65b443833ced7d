"""Whatever JSON the decoder accepts comes back equal from PostgreSQL, and so do the arrays packed by hand."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.connections import connect_writer
from events.packed import PackedTimes, PackedUuids, register_packed_arrays
from events.rows import EVENT_COLUMNS, NULL, attributed_row, copy_block, event_row, place_fields, text_field
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, make_tenant, post
from tests.support.writers import Connection

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=5)
STAMPS = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999 - 31_622_400_000_000)
KEYS = st.binary(min_size=16, max_size=16)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def shared(books: Books) -> Tenant:
    return make_tenant()


@pytest.fixture(scope="module")
def connection(books: Books) -> Any:
    with connect_writer("default") as connection:
        register_packed_arrays(connection)
        yield connection


def same(sent: Any, stored: Any) -> bool:
    """Equal as JSON: PostgreSQL keeps numbers as decimals, so that a float may come back as digits."""
    if isinstance(sent, dict):
        return sent.keys() == stored.keys() and all(same(sent[key], stored[key]) for key in sent)
    if isinstance(sent, list):
        return len(sent) == len(stored) and all(map(same, sent, stored))
    if isinstance(sent, float):
        return not isinstance(stored, bool) and float(stored) == sent
    return type(sent) is type(stored) and bool(sent == stored)


@settings(max_examples=60, deadline=None)
@given(st.lists(OBJECTS, min_size=1, max_size=20), st.booleans())
def test_data_comes_back_equal(
    doors: dict[str, Door], shared: Tenant, books: Books, documents: list[dict[str, Any]], ascii_only: bool
) -> None:
    body = json.dumps([{"type": "t", "data": each} for each in documents], ensure_ascii=ascii_only).encode()
    answer = post(doors["gateway"], shared.key, body)
    assert answer.status == 200, answer.body
    query = "SELECT uid::text, data FROM event WHERE project_id = %(id)s AND uid = ANY(%(uids)s::uuid[])"
    found = {
        row["uid"]: row["data"] for row in books.rows(query, {"id": shared.id, "uids": answer.json["ids"]})
    }
    for uid, sent in zip(answer.json["ids"], documents, strict=True):
        assert same(sent, found[uid])


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, TEXT, st.floats(allow_nan=False, allow_infinity=False))
def test_fields_come_back_equal(
    doors: dict[str, Door], shared: Tenant, books: Books, source: str, subject: str, key: str, value: float
) -> None:
    sent = {"type": "t", "source": source, "subject": subject, "key": key, "value": value}
    (uid,) = post(doors["gateway"], shared.key, sent).json["ids"]
    query = "SELECT * FROM event WHERE project_id = %(id)s AND uid = %(uid)s"
    (row,) = books.rows(query, {"id": shared.id, "uid": uid})
    assert (row["source"], row["subject"], row["value"]) == (source, subject, value)
    assert row["partition_key"] == (key or subject or source or uid)


@settings(max_examples=60, deadline=None)
@given(st.lists(KEYS, max_size=50), st.lists(STAMPS, max_size=50))
def test_packed_arrays_are_read_as_what_they_hold(
    connection: Connection, keys: list[bytes], stamps: list[int]
) -> None:
    row = connection.execute(
        "SELECT %s::uuid[], (SELECT array_agg(extract(epoch FROM t) * 1000000 ORDER BY n)"
        " FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS u (t, n))",
        (PackedUuids.of(keys), PackedTimes.of(stamps)),
    ).fetchone()
    assert row is not None
    assert [each.bytes for each in row[0]] == keys
    assert [int(each) for each in row[1] or []] == stamps


@settings(max_examples=40, deadline=None)
@given(
    STAMPS,
    KEYS,
    TEXT,
    TEXT,
    st.none() | st.floats(allow_nan=False),
    st.none() | OBJECTS,
    OBJECTS,
    st.integers(0, 63),
)
def test_a_packed_row_is_read_as_what_it_holds(
    connection: Connection,
    stamp: int,
    uid: bytes,
    source: str,
    key: str,
    value: float | None,
    document: dict[str, Any] | None,
    attributes: dict[str, Any],
    partition: int,
) -> None:
    """Into a table of the same columns: the real one would make a chunk for each of these days."""
    data = b"" if document is None else json.dumps(document).encode()
    row = event_row(
        -7, stamp, uid, text_field("t"), text_field(source), text_field(""), place_fields(key, partition),
        NULL if value is None else text_field(key), value, data,
    )  # fmt: skip
    attributed = attributed_row(row, json.dumps(attributes).encode(), value, data)
    received = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    received_us = (received - EPOCH) // timedelta(microseconds=1)
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE packed (LIKE event) ON COMMIT DROP")
        with cursor.copy(f"COPY packed ({EVENT_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(copy_block([row, attributed], received_us))
        cursor.execute(
            "SELECT project_id, extract(epoch FROM time) * 1000000, uid, type, source, subject, partition_key,"
            " partition, event_id, value, data, received_at, attributes FROM packed ORDER BY attributes NULLS FIRST"
        )
        first, second = cursor.fetchall()
    assert first[:12] == second[:12]
    assert first[12] is None
    assert same(attributes, second[12])
    assert first[:10] == (
        -7, stamp, UUID(bytes=uid), "t", source, "", key, partition, None if value is None else key, value,
    )  # fmt: skip
    assert document is None or same(document, first[10])
    assert first[11] == received
