"""The bad-input corpus at every door: its documented code, nothing stored, and the next good request works."""

import pytest

from events.websocket.limits import MAX_FRAME_BYTES
from tests.contracts.ingest_corpus import (
    BAD_EVENTS,
    BAD_REQUESTS,
    GOOD,
    GOOD_EVENTS,
    JSON,
    NDJSON,
    BadEvent,
    BadRequest,
)
from tests.support.doors import Door
from tests.support.ingest import Books, Tenant, post

DOCUMENTED = {"index", "id", "code", "pointer", "message", "retryable"}


def fits_a_frame(bad: BadRequest) -> bool:
    """Whether a socket's frame can say it too: it has no encoding, and names one of two formats."""
    return not bad.encoding and bad.content_type in {JSON, NDJSON} and len(bad.body) < MAX_FRAME_BYTES


def next_request_works(door: Door, tenant: Tenant) -> None:
    answer = post(door, tenant.key, GOOD)
    assert (answer.status, answer.json["accepted"]) == (200, 1)


@pytest.mark.parametrize("bad", [bad for bad in BAD_REQUESTS if fits_a_frame(bad)], ids=lambda bad: bad.name)
def test_a_bad_request_is_refused_as_a_whole(
    any_door: Door, tenant: Tenant, books: Books, bad: BadRequest
) -> None:
    refuses(any_door, tenant, books, bad)


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD_REQUESTS if not fits_a_frame(bad)], ids=lambda bad: bad.name
)
def test_a_bad_request_that_only_http_can_say_is_refused_as_a_whole(
    door: Door, tenant: Tenant, books: Books, bad: BadRequest
) -> None:
    refuses(door, tenant, books, bad)


def refuses(door: Door, tenant: Tenant, books: Books, bad: BadRequest) -> None:
    headers = {"content_encoding": bad.encoding} if bad.encoding else {}
    answer = post(door, tenant.key, bad.body, content_type=bad.content_type, **headers)
    assert (answer.status, answer.json["code"]) == (bad.status, bad.code), answer.body[:500]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"].endswith(".")
    assert len(answer.body) < 1_000
    assert books.stored(tenant.id) == 0
    next_request_works(door, tenant)


@pytest.mark.parametrize("bad", BAD_EVENTS, ids=lambda bad: bad.name)
def test_a_bad_event_alone_is_422(any_door: Door, tenant: Tenant, books: Books, bad: BadEvent) -> None:
    answer = post(any_door, tenant.key, bad.text)
    assert (answer.status, answer.json["code"]) == (422, "events_rejected"), answer.body[:500]
    (error,) = answer.json["errors"]
    assert set(error) == DOCUMENTED
    assert (error["code"], error["pointer"]) == (bad.code, bad.pointer)
    assert error["message"].endswith(".")
    assert len(error["message"]) < 500
    assert books.stored(tenant.id) == 0
    (row,) = books.rejected(tenant.id)
    assert (row["code"], row["pointer"], bytes(row["raw"])) == (bad.code, bad.pointer, bad.text)
    next_request_works(any_door, tenant)


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_each_bad_event_among_good_ones_is_refused_alone(
    any_door: Door, tenant: Tenant, books: Books, content_type: str
) -> None:
    """All of the corpus in one body: each has its code at its place, and every good one is stored."""
    short = [bad for bad in BAD_EVENTS if len(bad.text) < any_door.most_bytes / 20]
    corpus = [bad for bad in short if content_type != NDJSON or b"\n" not in bad.text]
    texts = [text for bad in corpus for text in (GOOD, bad.text)]
    body = b"\n".join(texts) if content_type == NDJSON else b"[" + b",".join(texts) + b"]"
    answer = post(any_door, tenant.key, body, content_type=content_type)
    assert answer.status == 207
    assert answer.json["accepted"] == len(corpus)
    found = [(error["index"], error["code"], error["pointer"]) for error in answer.json["errors"]]
    assert found == [(2 * place + 1, bad.code, bad.pointer) for place, bad in enumerate(corpus)]
    assert books.stored(tenant.id) == len(corpus)


@pytest.mark.parametrize(("name", "text"), GOOD_EVENTS, ids=[name for name, _ in GOOD_EVENTS])
def test_what_only_looks_bad_is_stored(
    any_door: Door, tenant: Tenant, books: Books, name: str, text: bytes
) -> None:
    answer = post(any_door, tenant.key, text)
    assert (answer.status, answer.json["accepted"]) == (200, 1), answer.body[:500]
    assert books.stored(tenant.id) == 1


@pytest.mark.parametrize(
    "bad",
    [bad for bad in BAD_EVENTS if bad.name in {"a lone surrogate", "NUL, escaped", "a key of data twice", "depth 33"}],
    ids=lambda bad: bad.name,
)  # fmt: skip
def test_poison_in_the_middle_of_a_thousand_is_refused_alone(
    any_door: Door, tenant: Tenant, books: Books, bad: BadEvent
) -> None:
    texts = [b'{"type":"t","id":"%d"}' % number for number in range(1_000)]
    texts[500] = bad.text
    answer = post(any_door, tenant.key, b"[" + b",".join(texts) + b"]")
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 999, 1)
    assert [(error["index"], error["code"]) for error in answer.json["errors"]] == [(500, bad.code)]
    assert answer.json["ids"] == [None if number == 500 else str(number) for number in range(1_000)]
    assert books.stored(tenant.id) == 999


def test_an_array_in_an_array_is_no_event(any_door: Door, tenant: Tenant, books: Books) -> None:
    answer = post(any_door, tenant.key, b'[{"type":"t"},[{"type":"t"}],[]]')
    assert (answer.status, answer.json["accepted"]) == (207, 1)
    assert [(error["index"], error["code"]) for error in answer.json["errors"]] == [
        (1, "wrong_type"),
        (2, "wrong_type"),
    ]


def test_a_line_that_is_no_json_costs_the_other_lines_nothing(
    any_door: Door, tenant: Tenant, books: Books
) -> None:
    lines = [GOOD] * 1_000
    bad = {
        100: (b'{"type":"t"', "malformed_json"),
        200: (b"\xff", "invalid_utf8"),
        300: (b'{"type":"t","value":NaN}', "malformed_json"),
        400: (b"\xef\xbb\xbf" + GOOD, "malformed_json"),
        500: (b'{"type":"t","data":{"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}}", "too_deep"),
        600: (b'"' + b'\\"' * 100_000, "malformed_json"),
    }
    for place, (text, _) in bad.items():
        lines[place] = text
    answer = post(any_door, tenant.key, b"\n".join(lines), content_type=NDJSON)
    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (207, 994, 6)
    found = {error["index"]: error["code"] for error in answer.json["errors"]}
    assert found == {place: code for place, (_, code) in bad.items()}
    assert [bytes(row["raw"]) for row in books.rejected(tenant.id)] == [text for text, _ in bad.values()]
