"""The fast decoder against a slow reference that reads every text with Python's own JSON reader."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.decoding import Event, decode_event, looks_plain, split_body
from events.errors import InvalidEvent, RequestRefused
from events.limits import MAX_DEPTH, MAX_EVENT_BYTES, MAX_EVENTS
from tests.contracts.ingest_corpus import BAD_EVENTS, BAD_REQUESTS, GOOD_EVENTS, NDJSON, BadEvent, BadRequest

FIELDS = ("type", "id", "source", "subject", "key", "time", "value", "data")
SPACE = st.sampled_from(["", "", "", " ", "\n", "\t", "\r\n "])
# Strings that look like parts of the syntax, so that counting bytes could be fooled.
TRICKY = [
    "a",
    "b",
    ":",
    '":',
    '":"',
    '\\":',
    "\\",
    '"',
    "{",
    "[",
    " :",
    "\u0000",
    "\ud800",
    "\ud83d",
    "ä",
    "type",
    "data",
]
STRINGS = st.sampled_from(TRICKY) | st.text(st.characters(), max_size=3)
NUMBERS = st.sampled_from(
    ["0", "-1", "1.5", "1e400", "-1E400", "1e-400", "9" * 400, "9" * 308, "1E3", "01", "-"]
)


def literal(text: str, style: int) -> str:
    """A JSON string: as short as can be, all ASCII, or every character escaped."""
    if style == 2:
        units = text.encode("utf-16-be", "surrogatepass")
        return '"' + "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2)) + '"'
    return json.dumps(text, ensure_ascii=bool(style))


@st.composite
def texts(draw: st.DrawFn, depth: int = 0) -> str:
    """JSON text with repeated keys, odd space and escapes; sometimes no JSON at all."""
    kind = draw(st.integers(0, 5 if depth < 4 else 2))
    if kind == 0:
        return draw(st.sampled_from(["null", "true", "false", "NaN", "Infinity", "nul"]) | NUMBERS)
    if kind <= 2:
        return literal(draw(STRINGS), draw(st.integers(0, 2)))
    if kind == 3:
        return "[" + ",".join(draw(st.lists(texts(depth=depth + 1), max_size=3))) + "]"
    return draw(objects(depth, STRINGS))


@st.composite
def objects(draw: st.DrawFn, depth: int, keys: st.SearchStrategy[str]) -> str:
    members = []
    for key in draw(st.lists(keys, max_size=4)):
        name = literal(key, draw(st.integers(0, 2)))
        members.append(
            f"{draw(SPACE)}{name}{draw(SPACE)}:{draw(SPACE)}{draw(texts(depth=depth + 1))}{draw(SPACE)}"
        )
    return "{" + ",".join(members) + "}"


@st.composite
def events(draw: st.DrawFn) -> str:
    """Mostly events: a type, then data or fields that may repeat."""
    data = draw(objects(1, STRINGS))
    extra = draw(
        st.sampled_from(["", ',"value":1', ',"type":"t"', ',"id":":"', ',"source" :"\\":"', ',"x":1'])
    )
    return f'{{"type"{draw(SPACE)}:"t"{extra}{draw(SPACE)},"data"{draw(SPACE)}:{data}}}'


class Refused(Exception):
    """What the reference does not accept."""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise Refused
    return dict(pairs)


def refuse(_: str) -> Any:
    raise Refused


def finite(text: str) -> float:
    if abs(float(text)) == float("inf"):
        raise Refused
    return float(text)


def walk(node: Any, depth: int = 0) -> None:
    if isinstance(node, str) and re.search("[\0\ud800-\udfff]", node):
        raise Refused
    if isinstance(node, dict | list):
        if depth == MAX_DEPTH:
            raise Refused
        for each in [*node.keys(), *node.values()] if isinstance(node, dict) else node:
            walk(each, depth + 1)
    if isinstance(node, int) and abs(node) > int(1.7976931348623157e308):
        raise Refused


def reference(raw: bytes) -> bool:
    """Whether an event without a time may be accepted, the slow way."""
    try:
        document = json.loads(
            raw.decode(), object_pairs_hook=unique, parse_constant=refuse, parse_float=finite
        )
        walk(document)
    except (ValueError, Refused):
        return False
    if not isinstance(document, dict) or document.keys() - set(FIELDS) or "type" not in document:
        return False
    if not isinstance(document["type"], str) or not re.fullmatch(
        r"[A-Za-z0-9._:/-]{1,200}", document["type"]
    ):
        return False
    texts_fit = all(
        document.get(name) is None or (isinstance(document[name], str) and len(document[name]) <= limit)
        for name, limit in (("id", 256), ("source", 1024), ("subject", 1024), ("key", 1024))
    )
    number = document.get("value")
    return (
        texts_fit
        and document.get("id") != ""
        and (number is None or (isinstance(number, int | float) and not isinstance(number, bool)))
        and (document.get("data") is None or isinstance(document["data"], dict))
        and document.get("time") is None
    )


def accepts(raw: bytes) -> bool:
    try:
        decode_event(raw, plain=looks_plain(raw))
    except InvalidEvent:
        return False
    return True


@settings(max_examples=400, deadline=None)
@given(events() | texts())
@example('{"type":"t","data":{"a":":","a":":"}}')
@example('{"type":"t","data":{"a" :1,"a":1}}')
@example('{"type":"t","data":{"a\\"":1,"a\\"":1}}')
@example('{"type":"t","data":{"a":{"b":1},"a":"x"}}')
@example('{"type":"t","data":{"a":1,"a":1,"b" :2}}')
@example('{"type":"t","data":{"a":1,"a" :1,"b":":"}}')
def test_the_decoder_accepts_what_the_reference_accepts(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    assert accepts(raw) == reference(raw)


@settings(max_examples=150, deadline=None)
@given(st.lists(events(), min_size=1, max_size=4))
def test_an_event_in_an_array_is_judged_as_if_it_were_alone(texts_in_one: list[str]) -> None:
    raws = [text.encode("utf-8", "surrogatepass") for text in texts_in_one]
    body = b"[" + b",".join(raws) + b"]"
    try:
        frames = split_body(body, "json")
    except RequestRefused:
        assert not all(map(reference, raws)), "a body of good events was refused"
        return
    plain = looks_plain(body)
    assert [_accepted(frame, plain) for frame in frames] == [reference(raw) for raw in raws]


def _accepted(raw: bytes, plain: bool) -> bool:
    try:
        decode_event(raw, plain=plain)
    except InvalidEvent:
        return False
    return True


# What the database alone can refuse is not the decoder's to know, nor are a project's limits on time.
DECODERS_OWN = [bad for bad in BAD_EVENTS if bad.code not in {"not_storable", "time_out_of_range"}]


@pytest.mark.parametrize("bad", DECODERS_OWN, ids=lambda bad: bad.name)
@pytest.mark.parametrize("plain", [True, False])
def test_a_bad_event_has_its_code(bad: BadEvent, plain: bool) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_event(bad.text, plain=plain and looks_plain(bad.text))
    assert (caught.value.code, caught.value.pointer) == (bad.code, bad.pointer)
    assert caught.value.message.endswith(".")


@pytest.mark.parametrize(("name", "text"), GOOD_EVENTS, ids=[name for name, _ in GOOD_EVENTS])
def test_a_good_event_passes_both_checks(name: str, text: bytes) -> None:
    assert accepts(text)
    decode_event(text, plain=False)


BODIES = [bad for bad in BAD_REQUESTS if bad.status == 400 and not bad.encoding and bad.body]


@pytest.mark.parametrize("bad", BODIES, ids=lambda bad: bad.name)
def test_a_bad_body_has_its_code(bad: BadRequest) -> None:
    with pytest.raises(RequestRefused) as caught:
        split_body(bad.body, "ndjson" if bad.content_type == NDJSON else "json")
    assert (caught.value.status, caught.value.code) == (bad.status, bad.code)


def test_as_many_events_as_the_limit_pass() -> None:
    lines = b'{"type":"t"}\n' * MAX_EVENTS
    assert len(split_body(lines, "ndjson")) == MAX_EVENTS
    with pytest.raises(RequestRefused):
        split_body(lines + b"{}", "ndjson")


def test_a_long_event_is_refused_before_it_is_read() -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode_event(b"x" * (MAX_EVENT_BYTES + 1), plain=True)
    assert caught.value.code == "event_too_large"


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, *(timezone(timedelta(minutes=at)) for at in (-720, 330, 840))])
    )
)
def test_every_time_is_read_exactly(moment: datetime) -> None:
    raw = b'{"type":"t","time":"%s"}' % moment.isoformat().encode()
    assert decode_event(raw, plain=True).time == moment


def test_what_is_left_out_is_told_from_null() -> None:
    bare: Event = decode_event(b'{"type":"t"}', plain=True)
    nulls: Event = decode_event(b'{"type":"t","id":null,"value":null}', plain=True)
    assert bare.id is msgspec.UNSET
    assert nulls.id is None
    assert nulls.value is None
