"""What headers and the query ask for."""

import pytest

from events.errors import RequestRefused
from events.limits import MAX_BODY_BYTES
from events.protocols.cloudevents.envelope import open_json
from events.requests import IngestOptions, check_length, read_options


def options(query: str = "", **headers: str) -> IngestOptions:
    sent = {"content-type": "application/json"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return read_options(sent, query)


def refusal(query: str = "", **headers: str) -> tuple[int, str]:
    with pytest.raises(RequestRefused) as caught:
        options(query, **headers)
    return caught.value.status, caught.value.code


def test_json_alone_stores_what_is_good() -> None:
    assert options() == IngestOptions("json", "", "store", False)


def test_lines_are_told_by_their_type() -> None:
    assert options(content_type="application/x-ndjson; charset=utf-8").body_format == "ndjson"


def test_an_encoding_is_not_case_sensitive() -> None:
    assert options(content_encoding=" GZip ").encoding == "gzip"


@pytest.mark.parametrize(
    ("query", "on_error", "dry_run"),
    [
        ("on_error=reject", "reject", False),
        ("on_error=store&dry_run=1", "store", True),
        ("dry_run=true&on_error=reject", "reject", True),
        ("dry_run=0", "store", False),
        ("dry_run=false", "store", False),
        ("on_error=store&on_error=reject", "reject", False),
        ("on%5Ferror=reject", "reject", False),
    ],
)
def test_the_query_says_what_to_do_with_refusals(query: str, on_error: str, dry_run: bool) -> None:
    read = options(query)
    assert (read.on_error, read.dry_run) == (on_error, dry_run)


@pytest.mark.parametrize(
    "query",
    ["on_error=x", "on_error=", "dry_run=2", "dry_run=", "dry_run=TRUE", "on_error=Reject", "dryrun=1"],
)
def test_another_value_is_refused(query: str) -> None:
    assert refusal(query) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "json",
        "text/json",
        "application/json-seq",
        "application/cloudevents+avro",
        "application/cloudevents",
    ],
)
def test_another_type_is_refused(content_type: str) -> None:
    assert refusal(content_type=content_type) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json", "APPLICATION/CloudEvents-Batch+JSON; charset=UTF-8"]
)
def test_cloudevents_are_told_by_their_type_whatever_the_headers(content_type: str) -> None:
    assert options(content_type=content_type, ce_id="1").body_format is open_json


def test_cloudevents_in_binary_mode_are_told_by_an_attribute_that_each_must_have() -> None:
    assert callable(options(ce_type="t").body_format)
    assert options(ce_trace="t").body_format == "json"
    assert refusal(content_type="text/plain", ce_trace="t") == (415, "unsupported_media_type")


def test_the_refusal_of_a_type_lists_all_there_are() -> None:
    with pytest.raises(RequestRefused, match=r"application/cloudevents-batch\+json\."):
        options(content_type="text/plain")


@pytest.mark.parametrize("length", [None, "0", str(MAX_BODY_BYTES)])
def test_a_length_within_the_limit_passes(length: str | None) -> None:
    check_length(length)


@pytest.mark.parametrize(
    ("length", "status"),
    [(str(MAX_BODY_BYTES + 1), 413), ("9" * 30, 413), ("", 400), ("-1", 400), ("1.5", 400), ("x", 400)],
)
def test_another_length_is_refused(length: str, status: int) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_length(length)
    assert caught.value.status == status
