"""CloudEvents to events: what has a field of ours, what is kept beside it, and what headers say."""

import base64
import json
import re
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from events.decoding import AttributedEvent, Opened, looks_plain
from events.errors import InvalidEvent, RequestRefused
from events.limits import MAX_EVENTS
from events.protocols.cloudevents.binary import open_binary
from events.protocols.cloudevents.envelope import decode_cloudevent, open_json
from tests.contracts.cloudevents_corpus import BAD_CLOUDEVENTS, GOOD_CLOUDEVENTS, GoodEvent
from tests.contracts.ingest_corpus import BadEvent
from tests.support.cloudevents import batch

REQUIRED = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}
HEADERS = {f"ce-{name}": text for name, text in REQUIRED.items()}
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def decode(raw: bytes) -> AttributedEvent:
    event = decode_cloudevent(raw, plain=looks_plain(raw))
    assert isinstance(event, AttributedEvent)
    return event


def cloudevent(**members: Any) -> AttributedEvent:
    return decode(json.dumps(REQUIRED | members).encode())


def attributes(event: AttributedEvent) -> dict[str, Any]:
    """Beside specversion, which is always there."""
    found: dict[str, Any] = json.loads(bytes(event.attributes))
    assert found.pop("specversion") == "1.0"
    return found


def only(opened: Opened) -> AttributedEvent:
    (frame,) = opened.frames
    event = opened.decode(frame)
    assert isinstance(event, AttributedEvent)
    return event


def binary(body: bytes = b"", **headers: str) -> AttributedEvent:
    sent = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    return only(open_binary(sent)(body))


def payload(event: AttributedEvent) -> object:
    """What was sent as data, as docs/cloudevents.md says to read it. Absent data is `UNSET`."""
    told = json.loads(bytes(event.attributes))
    if "data" in told:
        if told["data"] is None:
            return None
        ((name, held),) = json.loads(bytes(event.data or b"")).items()
        return base64.b64decode(held) if name == "data_base64" else held
    return UNSET if event.data is UNSET else json.loads(bytes(event.data))


def test_attributes_with_a_field_of_ours_become_it() -> None:
    event = cloudevent(subject="é", partitionkey="k", time="2026-01-31T12:00:00.5Z", data={"a": 1})
    assert (event.type, event.id, event.source, event.subject, event.key) == ("t", "1", "/s", "é", "k")
    assert str(event.time) == "2026-01-31 12:00:00.500000+00:00"
    assert bytes(event.data or b"") == b'{"a": 1}'
    assert attributes(event) == {"partitionkey": "k"}


def test_all_others_are_kept_and_null_is_the_same_as_left_out() -> None:
    kept = {
        "datacontenttype": "application/json",
        "dataschema": "urn:x",
        "colour": "red",
        "n": 5,
        "ok": False,
    }
    event = cloudevent(**kept, gone=None, subject=None, time=None, partitionkey=None, data_base64=None)
    assert attributes(event) == kept
    assert (event.subject, event.key, event.data) == (None, None, UNSET)


@pytest.mark.parametrize(
    ("sent", "value"),
    [(1, 1.0), (-2.5, -2.5), ("3.5", 3.5), ("-1e3", -1000.0), ("7", 7.0), (True, None), ("high", None), ("", None),
     ("nan", None), ("inf", None), ("1e999", None), ("0x10", None), ("1_000", None), (" 1", None), ("1.", None),
     ("٣", None), ("1\n", None)],
)  # fmt: skip
def test_the_value_is_an_extension_that_is_a_number_or_one_as_text(sent: Any, value: float | None) -> None:
    event = cloudevent(value=sent)
    assert (event.value if event.value is not UNSET else None) == value
    assert attributes(event) == {"value": sent}


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_any_json_value_as_data_can_be_read_back(sent: Any) -> None:
    structured = cloudevent(data=sent)
    assert payload(structured) == sent
    assert isinstance(sent, dict) == ("data" not in attributes(structured))
    in_binary = binary(json.dumps(sent).encode(), content_type="application/vnd.x+json")
    assert payload(in_binary) == sent
    assert attributes(in_binary).pop("datacontenttype") == "application/vnd.x+json"


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=50), st.sampled_from(["application/octet-stream", "text/plain", "text/xml; charset=x"])
)
def test_any_bytes_as_data_can_be_read_back(sent: bytes, content_type: str) -> None:
    event = binary(sent, content_type=content_type)
    found = payload(event)
    assert (found.encode() if isinstance(found, str) else found) == (sent or UNSET)
    structured = CloudEvent({"type": "t", "source": "/s", "datacontenttype": content_type}, sent)
    assert payload(decode(JSONFormat().write(structured))) == sent


def test_an_object_that_looks_wrapped_is_not() -> None:
    event = cloudevent(data={"data": 5})
    assert (payload(event), attributes(event)) == ({"data": 5}, {})


def test_absent_data_and_null_are_told_apart() -> None:
    assert payload(cloudevent()) is UNSET
    assert payload(cloudevent(data=None)) is None
    assert cloudevent(data=None).data is UNSET


def test_digits_of_data_stay_as_they_were_written() -> None:
    raw = json.dumps(REQUIRED)[:-1].encode() + b',"data":{"n":1.10000000000000000001}}'
    assert bytes(decode(raw).data or b"") == b'{"n":1.10000000000000000001}'


# What the database alone can refuse is not the decoder's to know, nor are a project's limits on time.
DECODERS_OWN = [bad for bad in BAD_CLOUDEVENTS if bad.code not in {"not_storable", "time_out_of_range"}]


@pytest.mark.parametrize("bad", DECODERS_OWN, ids=lambda bad: bad.name)
@pytest.mark.parametrize("plain", [True, False])
def test_a_bad_event_has_its_code(bad: BadEvent, plain: bool) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_cloudevent(bad.text, plain=plain and looks_plain(bad.text))
    assert (caught.value.code, caught.value.pointer) == (bad.code, bad.pointer)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize("good", GOOD_CLOUDEVENTS, ids=lambda good: good.name)
def test_what_only_looks_bad_is_taken(good: GoodEvent) -> None:
    decode(good.text)


def test_a_verdict_names_the_attribute() -> None:
    with pytest.raises(InvalidEvent, match="`partitionkey` may have at most 1024 characters"):
        cloudevent(partitionkey="k" * 1025)
    with pytest.raises(InvalidEvent, match="`source` may not be empty"):
        cloudevent(source="")


def test_a_frame_is_one_event_or_a_batch() -> None:
    texts = [json.dumps(REQUIRED | {"id": name}).encode() for name in "ab"]
    opened = open_json(b"[" + b" , ".join(texts) + b"]")
    assert (list(opened.frames), [opened.decode(frame).id for frame in opened.frames]) == (texts, ["a", "b"])
    assert only(open_json(texts[0])).id == "a"
    assert open_json(b" [\n] ").frames == []


def test_a_batch_has_the_limit_of_any_request() -> None:
    event = CloudEvent({"type": "t", "source": "/s"})
    with pytest.raises(RequestRefused) as caught:
        open_json(batch([event] * (MAX_EVENTS + 1)).body)
    assert (caught.value.status, caught.value.code) == (413, "too_many_events")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("%41%25%34%31", "A%41"),
        ('"Euro \\"x\\" \\\\"', 'Euro "x" \\'),
        ('"%22"', '"'),
        ('"', '"'),
        ("a+b", "a+b"),
        ("100%", "100%"),
        ("€".encode().decode("latin-1"), "€"),
    ],
)
def test_a_header_is_taken_out_of_its_quotes_and_decoded_once(written: str, read: str) -> None:
    assert binary(ce_subject=written).subject == read


@pytest.mark.parametrize("written", ["%C0%A0", "%ff", "%ED%A0%80", "\xff"])
def test_a_header_that_is_not_utf8_is_refused(written: str) -> None:
    with pytest.raises(RequestRefused, match=r"ce-subject is not UTF-8") as caught:
        open_binary(HEADERS | {"ce-subject": written})
    assert (caught.value.status, caught.value.code) == (400, "invalid_header")


@pytest.mark.parametrize("name", ["ce-datacontenttype", "ce-data", "ce-data_base64"])
def test_a_header_for_what_is_not_in_headers_is_refused(name: str) -> None:
    with pytest.raises(RequestRefused, match=re.escape(name)):
        open_binary(HEADERS | {name: "x"})


def test_the_body_is_one_json_value_and_adds_nothing_to_the_envelope() -> None:
    for body in (b'{},"type":"u"', b"{}{}", b'{}}{"a":1', b"{", b"NaN", b" "):
        with pytest.raises(RequestRefused) as caught:
            open_binary(HEADERS)(body)
        assert (caught.value.status, caught.value.code) == (400, "malformed_json")


def test_json_in_another_charset_is_refused_and_text_is_kept_as_bytes() -> None:
    with pytest.raises(RequestRefused) as caught:
        open_binary(HEADERS | {"content-type": "application/json; charset=latin-1"})
    assert caught.value.code == "unsupported_charset"
    event = binary("ä".encode("latin-1"), content_type="text/plain; charset=latin-1")
    assert payload(event) == b"\xe4"


def test_text_that_cannot_be_stored_as_text_is_kept_as_bytes() -> None:
    assert payload(binary(b"a\0b", content_type="text/plain")) == b"a\0b"
    assert payload(binary(b"\xff", content_type="text/plain")) == b"\xff"
    assert payload(binary(b"<a/>", content_type="image/svg+xml")) == "<a/>"


def test_binary_mode_is_kept_as_the_envelope_it_stands_for() -> None:
    opened = open_binary(HEADERS | {"content-type": "application/json"})(b'{"a":1}')
    assert [json.loads(frame) for frame in opened.frames] == [
        REQUIRED | {"datacontenttype": "application/json", "data": {"a": 1}}
    ]
    assert opened.size == len(opened.frames[0])  # its headers wait with it
