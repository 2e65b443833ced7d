"""A flush through the spool is the same flush."""

from datetime import UTC
from typing import Any
from uuid import UUID

import msgspec
import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from events.decoding import Event, decode_event
from events.errors import InvalidEvent
from events.flushes import Flush
from events.preparing import Bounds, prepare
from events.protocols.cloudevents.envelope import decode_cloudevent
from events.spooled import decode_flush, encode_flush, spooled_verdicts
from events.submissions import Keyed, Rejection, Submission

ALWAYS = Bounds(-(2**62), 2**62, 90)
BAD = Rejection(1, "r", "t", InvalidEvent("code", "/pointer", "Message."), b"\xff raw")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
EVENTS = st.lists(
    st.builds(
        Event,
        type=st.just("t"),
        id=st.none() | TEXT | st.just("01890a5d-ac96-774b-bcce-b302099a8057"),
        source=st.none() | TEXT,
        subject=st.none() | TEXT,
        key=st.none() | TEXT,
        time=st.none() | st.datetimes(timezones=st.just(UTC)),
        value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        data=st.sampled_from([msgspec.UNSET, msgspec.Raw(b'{"a": [1.50, "\\u00e9"]}')]),
    ),
    max_size=4,
)


def submission(events: list[Event], **changes: Any) -> Submission:
    prepared = [
        prepare(event, position=at + 2, project_id=9, now_us=1_700_000_000_000_000, bounds=ALWAYS)
        for at, event in enumerate(events)
    ]
    asked: dict[str, Any] = {
        "project_id": 9,
        "key_id": 4,
        "request_id": "r-1",
        "prepared": prepared,
        "rejections": [BAD],
        "frames": [b""] * (len(events) + 2),
        "size": 1,
        "arrived": 0.0,
        "whole": False,
        "logged": True,
        "deliver": lambda _: None,
        **changes,
    }
    return Submission(**asked)


@given(EVENTS)
def test_every_event_comes_out_as_it_went_in(events: list[Event]) -> None:
    flush = Flush([submission(events), submission(events, whole=True, logged=False)])
    found = decode_flush(flush.id, encode_flush(flush))
    assert found.id == flush.id
    assert found.events == flush.events, "down to the packed row"
    assert found.starts == flush.starts
    assert [(each.whole, each.logged, each.spooled) for each in found.submissions] == [
        (False, True, True),
        (True, False, True),
    ]


def test_everything_else_of_a_request_comes_out_too() -> None:
    sent = submission([], keyed=Keyed(b"k" * 16, b"b" * 32), key_id=None)
    (found,) = decode_flush(UUID(int=1), encode_flush(Flush([sent]))).submissions
    assert (found.project_id, found.key_id, found.request_id, found.keyed) == (9, None, "r-1", sent.keyed)
    (rejection,) = found.rejections
    assert (rejection.position, rejection.id, rejection.type, rejection.raw) == (1, "r", "t", b"\xff raw")
    assert (rejection.error.code, rejection.error.pointer, rejection.error.message) == (
        "code",
        "/pointer",
        "Message.",
    )
    assert len(found.frames) == 2


@given(EVENTS)
def test_an_events_text_reads_as_the_same_event(events: list[Event]) -> None:
    """For one that the database refuses: it is kept as it would have been stored."""
    flush = Flush([submission(events)])
    (found,) = decode_flush(flush.id, encode_flush(flush)).submissions
    for event in found.prepared:
        if not event.identified:
            continue
        again = prepare(
            decode_event(found.frames[event.position], plain=False),
            position=event.position,
            project_id=9,
            now_us=0,
            bounds=ALWAYS,
        )
        assert again == event


def test_the_attributes_of_a_cloudevent_come_out_too() -> None:
    raw = b'{"specversion":"1.0","id":"a","source":"/s","type":"t","tenant":"acme","data":{"x":1}}'
    flush = Flush([submission([decode_cloudevent(raw, plain=False), Event("t", id="b")])])
    found = decode_flush(flush.id, encode_flush(flush))
    assert found.events == flush.events, "down to the packed row"
    assert b"acme" in found.events[0].attributes


def test_what_is_said_of_a_spooled_request_names_what_is_kept() -> None:
    verdicts = spooled_verdicts(submission([Event("t", id="a"), Event("t")]))
    assert (verdicts.accepted, verdicts.spooled, verdicts.ids[:3]) == (2, True, [None, None, "a"])
    assert verdicts.rejections == [BAD]


def test_damage_is_noticed() -> None:
    payload = encode_flush(Flush([submission([Event("t", id="a")])]))
    with pytest.raises((msgspec.DecodeError, zstd.ZstdError)):
        decode_flush(UUID(int=1), payload[:-3])
