"""The quick way for a sound body: the same events as event by event, or none at all."""

import json

import pytest

from events.decoding import BodyFormat, Frames, decode_event, decode_sound, looks_plain, split_body
from events.limits import MAX_EVENT_BYTES, MAX_EVENTS

SOUND: list[tuple[BodyFormat, bytes]] = [
    ("json", b'{"type":"a"}'),
    ("json", b' [{"type":"a","value":1},{"type":"b","data":{"x":[{"y":1}]}}] '),
    ("json", b'[{"type":"a","data":{"at":"12:30:00","note":"a:b"}},{"type":"a","data":null}]'),
    ("ndjson", b'{"type":"a"}\n\n{"type":"b","time":"2026-01-01T00:00:00Z"}\r\n'),
    ("json", json.dumps([{"type": "a", "data": {"n": 2**70}}] * 3).encode()),
]
UNSOUND: list[tuple[BodyFormat, bytes]] = [
    ("json", b'[{"type":"a"},{"type":"a","type":"b"}]'),
    ("json", b'[{"type":"a","data":{"x":1,"x":2}}]'),
    ("json", b'[{"type":"a","data":{"x":1,"x" :2,"s":"\\":"}}]'),
    ("json", b'[{"type":"a","data":{"x":"\\u0000"}}]'),
    ("json", b'[{"type":"a","data":[]}]'),
    ("json", b'[{"type":"a"},{"type":1}]'),
    ("json", b'[{"type":"a","subject":"\xff"}]'),
    ("json", b"[]"),
    ("json", b""),
    ("ndjson", b'{"type":"a"}\n{'),
    ("json", b"[" + b'{"type":"a","data":' + b'{"a":' * 32 + b"1" + b"}" * 32 + b"}]"),
]


@pytest.mark.parametrize(("body_format", "body"), SOUND)
def test_a_sound_body_gives_the_events_that_one_by_one_would(body_format: BodyFormat, body: bytes) -> None:
    frames = split_body(body, body_format)
    events = decode_sound(body, body_format)
    assert events is not None
    one_by_one = [decode_event(frame, plain=looks_plain(body)) for frame in frames]
    assert [str(event.type) for event in events] == [event.type for event in one_by_one]
    assert [bytes(event.data or b"") for event in events] == [
        bytes(event.data or b"") for event in one_by_one
    ]
    assert list(Frames(body, body_format, len(events))) == frames


@pytest.mark.parametrize(("body_format", "body"), UNSOUND)
def test_a_body_that_needs_a_closer_look_is_left_to_it(body_format: BodyFormat, body: bytes) -> None:
    assert decode_sound(body, body_format) is None


def test_large_bodies_and_too_many_events_are_left_to_the_closer_look() -> None:
    long = json.dumps([{"type": "a", "subject": "s" * 1000}] * (MAX_EVENT_BYTES // 1000)).encode()
    assert decode_sound(long, "json") is None
    many = b'{"type":"a"}\n' * (MAX_EVENTS + 1)
    assert len(many) < MAX_EVENT_BYTES
    assert decode_sound(many, "ndjson") is None
