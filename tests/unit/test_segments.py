"""The log's packed form, and how a large one is split."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.segments import SegmentEvent, pack, unpack
from events.storage import MAX_SEGMENT_BYTES, pack_within

EVENTS = st.builds(
    SegmentEvent,
    st.integers(1, 2**31 - 1),
    st.integers(-(2**62), 2**62),
    st.binary(min_size=16, max_size=16),
    st.text(),
    st.text(),
    st.text(),
    st.text(),
    st.none() | st.floats(allow_nan=False),
    st.binary(max_size=50),
)


@given(st.lists(EVENTS, max_size=5))
def test_what_was_packed_is_unpacked(events: list[SegmentEvent]) -> None:
    assert unpack(pack(events)) == events


@given(st.lists(EVENTS, min_size=1, max_size=30), st.integers(1, 2_000))
def test_a_split_keeps_all_events_in_order(events: list[SegmentEvent], limit: int) -> None:
    parts = pack_within(events, limit)
    assert [event for _, payload in parts for event in unpack(payload)] == events
    assert [count for count, _ in parts] == [len(unpack(payload)) for _, payload in parts]
    assert all(len(payload) <= limit or count == 1 for count, payload in parts)


def test_a_segment_within_the_limit_is_not_split() -> None:
    event = SegmentEvent(1, 0, bytes(16), "t", "", "", "k", None, b"x" * 1_000)
    assert len(pack_within([event] * 100)) == 1
    parts = pack_within([event] * 1_000)
    assert len(parts) > 1
    assert max(len(payload) for _, payload in parts) <= MAX_SEGMENT_BYTES


@pytest.mark.parametrize("payload", [b"", b"\xff", pack([])[:-1] + b"\x91", b"[]"])
def test_a_damaged_segment_is_told(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        unpack(payload)
