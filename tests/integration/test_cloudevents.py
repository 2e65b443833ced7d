"""CloudEvents at every door, sent by their SDK: the rows and the verdicts of the same events in our own form."""

import http.client
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage
from cloudevents.core.v1.event import CloudEvent

from tests.contracts.cloudevents_corpus import BAD_CLOUDEVENTS, GOOD_CLOUDEVENTS, enveloped
from tests.contracts.ingest_corpus import GOOD, BadEvent, nested
from tests.support.cloudevents import MODES, Mode, batch, cloudevent, message, send
from tests.support.doors import Door
from tests.support.ingest import Books, Row, Tenant, make_tenant, post

NOW = datetime.now(UTC).replace(microsecond=123_456)
FULL = {
    "type": "order.made/v1:x", "id": "o-1", "source": "https://shop.example/a b", "subject": "Größe 日本 😀 100% \"q\"",
    "key": "k 1", "time": NOW.isoformat(), "value": -2.5, "data": {"deep": [1, None, {"é": "\n"}], "n": 12.5},
}  # fmt: skip
BARE = {"type": "t", "id": "i", "source": "/s", "time": NOW.isoformat()}
EVENTS: dict[str, dict[str, Any]] = {
    "every field": FULL,
    "only what must be": BARE,
    "a subject and no key": BARE | {"subject": "s"},
    "empty data": BARE | {"data": {}},
    "a time with another offset": BARE | {"time": NOW.astimezone().isoformat()},
    "the longest texts": BARE
    | {"id": "ä" * 256, "source": "日" * 1024, "subject": "s" * 1024, "type": "t" * 200},
    "data as deep as may be": BARE | {"data": json.loads(nested(32))["data"]},
}
REFUSED: dict[str, dict[str, Any]] = {
    "a type with a space": BARE | {"type": "a b"},
    "a type too long": BARE | {"type": "a" * 201},
    "an id too long": BARE | {"id": "x" * 257},
    "a source too long": BARE | {"source": "x" * 1025},
    "a subject too long": BARE | {"subject": "x" * 1025},
    "a key too long": BARE | {"key": "x" * 1025},
    "a time too late": BARE | {"time": (NOW + timedelta(hours=25)).isoformat()},
    "a time too early": BARE | {"time": (NOW - timedelta(days=91)).isoformat()},
    "NUL in data": BARE | {"data": {"x": "\0"}},
    "half a pair in data": BARE | {"data": {"x": ["\ud800"]}},
    "data too deep": BARE | {"data": json.loads(nested(33))["data"]},
    "a number too large": BARE | {"data": {"x": 10**400}},
    "too large": BARE | {"data": {"x": "x" * 256 * 1024}},
}
# What is a project's own in a row, or told by the clock.
_OWN = {"project_id", "uid", "partition", "received_at"}


def stored(books: Books, tenant: Tenant) -> Row:
    (row,) = books.events(tenant.id)
    return {name: value for name, value in row.items() if name not in _OWN}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sent", EVENTS.values(), ids=EVENTS)
def test_an_event_is_stored_as_in_our_own_form(
    door: Door, tenant: Tenant, books: Books, mode: Mode, sent: dict[str, Any]
) -> None:
    native = make_tenant()
    expected = post(door, native.key, sent)
    answer = send(door, tenant.key, message(cloudevent(sent), mode))
    assert (answer.status, answer.json) == (expected.status, expected.json) == (200, answer.json)
    ours, theirs = stored(books, native), stored(books, tenant)
    assert ours.pop("attributes") is None
    assert theirs.pop("attributes")["specversion"] == "1.0"
    assert theirs == ours


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sent", REFUSED.values(), ids=REFUSED)
def test_an_event_is_refused_as_in_our_own_form(
    door: Door, tenant: Tenant, books: Books, mode: Mode, sent: dict[str, Any]
) -> None:
    expected = post(door, tenant.key, json.dumps(sent).encode()).json["errors"]
    answer = send(door, tenant.key, message(cloudevent(sent), mode))
    assert (answer.status, answer.json["code"]) == (422, "events_rejected"), answer.body[:500]
    (ours,), (theirs,) = expected, answer.json["errors"]
    named = {"/key": "/partitionkey"}.get(ours["pointer"], ours["pointer"])
    found = (theirs["index"], theirs["id"], theirs["code"], theirs["pointer"])
    assert found == (0, ours["id"], ours["code"], named)
    assert books.stored(tenant.id) == 0
    assert [row["code"] for row in books.rejected(tenant.id)] == [ours["code"]] * 2


@pytest.mark.parametrize("mode", MODES)
def test_nothing_of_an_event_is_lost(door: Door, tenant: Tenant, books: Books, mode: Mode) -> None:
    event = CloudEvent(
        {"type": "t", "source": "/s", "id": "1", "time": NOW, "subject": "x", "datacontenttype": "application/json",
         "dataschema": "https://example.com/s?a=b", "partitionkey": "p", "traceparent": "00-é-😀", "sequence": "7"},
        {"a": 1},
    )  # fmt: skip
    assert send(door, tenant.key, message(event, mode)).status == 200
    row = stored(books, tenant)
    read = row["attributes"] | {name: row[name] for name in ("type", "source", "subject", "time")}
    assert read | {"id": row["event_id"]} == event.get_attributes()
    assert row["data"] == event.get_data()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("content_type", "data", "held"),
    [
        ("application/xml", "<much wow=\"xml\">é</much>", {"data": "<much wow=\"xml\">é</much>"}),
        ("application/octet-stream", b"\x00\xff", {"data_base64": "AP8="}),
        ("text/plain", b"\x00\xff", {"data_base64": "AP8="}),
    ],
)  # fmt: skip
def test_a_payload_that_is_no_object_is_kept_in_one(
    door: Door, tenant: Tenant, books: Books, mode: Mode, content_type: str, data: Any, held: dict[str, str]
) -> None:
    event = CloudEvent({"type": "t", "source": "/s", "datacontenttype": content_type}, data)
    assert send(door, tenant.key, message(event, mode)).status == 200
    row = stored(books, tenant)
    assert row["data"] == held
    expected = {"specversion": "1.0", "datacontenttype": content_type, "data": "wrapped"}
    assert row["attributes"] == expected


def test_an_event_sent_again_in_another_mode_is_a_duplicate(door: Door, tenant: Tenant, books: Books) -> None:
    answers = [
        post(door, tenant.key, FULL),
        *[send(door, tenant.key, message(cloudevent(FULL), mode)) for mode in MODES],
    ]
    assert [(each.json["accepted"], each.json["duplicates"]) for each in answers] == [(1, 0)] + [(0, 1)] * 3
    assert books.stored(tenant.id) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_body_may_be_compressed(door: Door, tenant: Tenant, books: Books, mode: Mode) -> None:
    assert send(door, tenant.key, message(cloudevent(FULL), mode), compressed=True).json["accepted"] == 1
    assert stored(books, tenant)["data"] == FULL["data"]


def test_a_batch_has_a_verdict_for_each_event(door: Door, tenant: Tenant, books: Books) -> None:
    names = ["a", "b", "c", "d"]
    sent = [cloudevent(BARE | {"id": name, "type": "a b" if name in "bd" else "t"}) for name in names]
    answer = send(door, tenant.key, batch(sent))
    assert (answer.status, answer.json["ids"]) == (207, ["a", None, "c", None])
    errors = [
        (error["index"], error["id"], error["code"], error["pointer"]) for error in answer.json["errors"]
    ]
    assert errors == [(1, "b", "invalid_format", "/type"), (3, "d", "invalid_format", "/type")]
    rejected = books.rejected(tenant.id)
    assert [json.loads(bytes(row["raw"]))["id"] for row in rejected] == ["b", "d"]


def test_one_refused_event_refuses_the_batch_when_asked_to(door: Door, tenant: Tenant, books: Books) -> None:
    sent = batch([cloudevent(BARE), cloudevent(BARE | {"type": "a b"})])
    answer = send(door, tenant.key, sent, query="on_error=reject")
    assert (answer.status, answer.json["code"], answer.json["rejected"]) == (422, "events_rejected", 1)
    assert books.stored(tenant.id) == 0


@pytest.mark.parametrize("mode", MODES)
def test_a_dry_run_stores_nothing(door: Door, tenant: Tenant, books: Books, mode: Mode) -> None:
    answer = send(door, tenant.key, message(cloudevent(FULL), mode), query="dry_run=1")
    assert (answer.status, answer.json["accepted"], answer.json["dry_run"]) == (200, 1, True)
    assert books.stored(tenant.id) == 0


def test_a_batch_may_be_empty(door: Door, tenant: Tenant) -> None:
    answer = send(door, tenant.key, batch([]))
    assert (answer.status, answer.json) == (
        200,
        {"accepted": 0, "duplicates": 0, "rejected": 0, "ids": [], "errors": []},
    )


def test_each_bad_event_of_the_corpus_is_refused_alone(door: Door, tenant: Tenant, books: Books) -> None:
    good = [enveloped(GOOD).replace(b'"i"', b'"%d"' % number) for number in range(len(BAD_CLOUDEVENTS))]
    texts = [text for place, bad in enumerate(BAD_CLOUDEVENTS) for text in (good[place], bad.text)]
    answer = _post_json(door, tenant, b"[" + b",".join(texts) + b"]")
    assert (answer.status, answer.json["accepted"]) == (207, len(good)), answer.body[:500]
    found = [(error["index"], error["code"], error["pointer"]) for error in answer.json["errors"]]
    assert found == [(2 * place + 1, bad.code, bad.pointer) for place, bad in enumerate(BAD_CLOUDEVENTS)]
    assert [bytes(row["raw"]) for row in books.rejected(tenant.id)] == [bad.text for bad in BAD_CLOUDEVENTS]


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD_CLOUDEVENTS if bad.code in {"too_deep", "not_storable", "missing_field"}],
    ids=lambda bad: bad.name,
)  # fmt: skip
def test_a_bad_event_alone_is_422(door: Door, tenant: Tenant, books: Books, bad: BadEvent) -> None:
    answer = _post_json(door, tenant, bad.text, "application/cloudevents+json")
    assert (answer.status, answer.json["code"]) == (422, "events_rejected"), answer.body[:500]
    assert [(error["code"], error["pointer"]) for error in answer.json["errors"]] == [(bad.code, bad.pointer)]
    assert books.stored(tenant.id) == 0


def test_what_only_looks_bad_is_stored(door: Door, tenant: Tenant, books: Books) -> None:
    for good in GOOD_CLOUDEVENTS:
        answer = _post_json(door, tenant, good.text, "application/cloudevents+json")
        assert (answer.status, answer.json["accepted"] + answer.json["duplicates"]) == (200, 1), good.name


def _post_json(
    door: Door, tenant: Tenant, body: bytes, content_type: str = "application/cloudevents-batch+json"
) -> Any:
    return send(door, tenant.key, HTTPMessage({"content-type": content_type}, body))


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"ce-subject": "%C0%A0"}, b"", 400, "invalid_header"),
        ({"ce-datacontenttype": "text/plain"}, b"", 400, "invalid_header"),
        ({"content-type": "application/json"}, b"{", 400, "malformed_json"),
        ({"content-type": "application/json"}, b'"\xff"', 400, "invalid_utf8"),
        ({"content-type": "application/json"}, b"[" * 100_000, 400, "too_deep"),
        ({"content-type": "application/json; charset=utf-16"}, b"{}", 415, "unsupported_charset"),
        ({"content-type": "application/cloudevents+avro"}, b"", 415, "unsupported_media_type"),
        ({"content-type": "application/cloudevents+json; charset=latin-1"}, b"{}", 415, "unsupported_charset"),
        ({"content-type": "application/cloudevents+json"}, b"{", 400, "malformed_json"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[{}" + b",{}" * 5000 + b"]", 413, "too_many_events"),
        ({"ce-specversion": "0.3"}, b"", 422, "events_rejected"),
        ({"ce-subject": "%00"}, b"", 422, "events_rejected"),
    ],
)  # fmt: skip
def test_a_request_that_the_sdk_would_not_send_is_refused(
    door: Door, tenant: Tenant, books: Books, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    required = {"ce-specversion": "1.0", "ce-type": "t", "ce-id": "1", "ce-source": "/s"}
    answer = send(door, tenant.key, HTTPMessage(required | headers, body))
    assert (answer.status, answer.json["code"]) == (status, code), answer.body[:500]
    assert books.stored(tenant.id) == 0


def test_a_header_that_stands_twice_is_one_text(ingest_server: int, books: Books, tenant: Tenant) -> None:
    """As Django has it: a gateway that took the last one would hide the first."""
    connection = http.client.HTTPConnection("127.0.0.1", ingest_server, timeout=30)
    connection.putrequest("POST", "/api/v1/events")
    for name, value in [
        ("Authorization", f"Bearer {tenant.key}"), ("Content-Length", "0"), ("ce-specversion", "1.0"), ("ce-id", "1"),
        ("ce-source", "/s"), ("ce-type", "t"), ("ce-subject", "a"), ("ce-subject", "b"),
    ]:  # fmt: skip
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 200
    connection.close()
    assert stored(books, tenant)["subject"] == "a,b"
