"""How events may be written: one, an array or lines; plain or compressed; at every door."""

import gzip
import json
from collections.abc import Callable

import pytest
from backports import zstd

from events.limits import MAX_BODY_BYTES, MAX_EVENT_BYTES
from tests.contracts.ingest_corpus import of_size
from tests.support.doors import Door, GatewayDoor
from tests.support.ingest import Books, Tenant, post

NDJSON = "application/x-ndjson"
ENCODE: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}


def ids(books: Books, tenant: Tenant) -> list[str]:
    return sorted(row["event_id"] for row in books.events(tenant.id))


def lines(count: int, end: bytes = b"\n") -> bytes:
    return b"".join(b'{"type":"t","id":"%04d"}%s' % (number, end) for number in range(count))


def test_one_event_may_have_space_around_it(door: Door, tenant: Tenant, books: Books) -> None:
    assert post(door, tenant.key, b' \r\n\t{ "type" : "t", "id": "a" }\n').status == 200
    assert ids(books, tenant) == ["a"]


def test_an_array_may_be_written_with_space(door: Door, tenant: Tenant, books: Books) -> None:
    body = json.dumps([{"type": "t", "id": "a"}, {"type": "t", "id": "b"}], indent=4).encode()
    assert post(door, tenant.key, b"\n\t " + body + b"\r\n").json["ids"] == ["a", "b"]
    assert ids(books, tenant) == ["a", "b"]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n", b"\n \t\n", b"\r\n\r\n"])
def test_lines_may_end_in_any_way_and_be_blank(door: Door, tenant: Tenant, books: Books, end: bytes) -> None:
    answer = post(door, tenant.key, lines(5, end), content_type=NDJSON)
    assert (answer.status, answer.json["ids"]) == (200, [f"{number:04}" for number in range(5)])
    assert books.stored(tenant.id) == 5


def test_the_last_line_needs_no_end(door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(door, tenant.key, b'\n{"type":"t"}\n{"type":"t"}', content_type=NDJSON)
    assert answer.json["accepted"] == 2


def test_a_line_may_not_be_an_array(door: Door, tenant: Tenant) -> None:
    answer = post(door, tenant.key, b'[{"type":"t"}]\n{"type":"t"}', content_type=NDJSON)
    assert answer.status == 207
    assert [(error["index"], error["code"]) for error in answer.json["errors"]] == [(0, "wrong_type")]


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "GZIP", " gzip "])
@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_a_body_may_be_compressed(
    door: Door, tenant: Tenant, books: Books, encoding: str, content_type: str
) -> None:
    plain = lines(100) if content_type == NDJSON else b"[" + lines(100).strip().replace(b"\n", b",") + b"]"
    body = ENCODE[encoding.strip().lower()](plain)
    answer = post(door, tenant.key, body, content_type=content_type, content_encoding=encoding)
    assert (answer.status, answer.json["accepted"]) == (200, 100)
    assert books.stored(tenant.id) == 100


def test_an_encoding_may_say_that_there_is_none(door: Door, tenant: Tenant) -> None:
    assert post(door, tenant.key, b'{"type":"t"}', content_encoding="identity").status == 200


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_may_have_several_members(door: Door, tenant: Tenant, books: Books, encoding: str) -> None:
    """As appending one compressed file to another makes; a member may end within an event."""
    encode, plain = ENCODE[encoding], lines(50)
    body = encode(plain[:333]) + encode(plain[333:])
    assert post(door, tenant.key, body, content_type=NDJSON, content_encoding=encoding).json["accepted"] == 50


def test_an_event_of_256_kib_is_taken_and_one_byte_more_is_refused(
    door: Door, tenant: Tenant, books: Books
) -> None:
    fits, over = of_size(MAX_EVENT_BYTES), of_size(MAX_EVENT_BYTES + 1)
    answer = post(door, tenant.key, b"[" + over + b"," + fits + b"]")
    assert (answer.status, answer.json["accepted"]) == (207, 1)
    assert [(error["index"], error["code"]) for error in answer.json["errors"]] == [(0, "event_too_large")]
    (row,) = books.events(tenant.id)
    assert len(row["data"]["x"]) == MAX_EVENT_BYTES - len('{"type":"t","data":{"x":""}}')


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_body_of_10_mib_is_taken_and_one_byte_more_is_413(
    door: Door, tenant: Tenant, books: Books, encoding: str
) -> None:
    events = b",".join([of_size(200_000)] * 50)
    body = b"[" + events + b" " * (MAX_BODY_BYTES - len(events) - 2) + b"]"
    encode = ENCODE.get(encoding, bytes)
    taken = post(door, tenant.key, encode(body), content_encoding=encoding)
    assert (taken.status, taken.json["accepted"]) == (200, 50)
    refused = post(door, tenant.key, encode(b" " + body), content_encoding=encoding)
    assert (refused.status, refused.json["code"]) == (413, "body_too_large")
    assert books.stored(tenant.id) == 50


@pytest.mark.parametrize("length", ["99999999999", "-1", "1e3", "0x10", "²"])
@pytest.mark.parametrize("name", ["gateway", "drf"])
def test_a_lying_content_length_is_refused(
    doors: dict[str, Door], name: str, tenant: Tenant, length: str
) -> None:
    answer = post(doors[name], tenant.key, b'{"type":"t"}', content_length=length)
    assert answer.json["code"] in {"invalid_header", "body_too_large"}
    assert answer.status in {400, 413}


@pytest.mark.parametrize("pieces", [2, 7, 100])
def test_a_body_may_arrive_in_pieces(books: Books, tenant: Tenant, pieces: int) -> None:
    door = GatewayDoor(pieces=pieces)
    try:
        assert post(door, tenant.key, lines(100), content_type=NDJSON).json["accepted"] == 100
    finally:
        door.close()
    assert books.stored(tenant.id) == 100
