"""The packed form of event_segment.payload: msgpack arrays, one per event."""

import msgspec


class SegmentEvent(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event of the log, with what windows, filters and derived events need.

    `time_us` is microseconds since 1970 UTC; `uid` is 16 bytes; `data` is the JSON object as the
    sender wrote it, or b"" when there was none. All events of a segment share its row's received_at.
    """

    project_id: int
    time_us: int
    uid: bytes
    type: str
    source: str
    subject: str
    key: str
    value: float | None
    data: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[SegmentEvent])


def pack(events: list[SegmentEvent]) -> bytes:
    return _encoder.encode(events)


def unpack(payload: bytes) -> list[SegmentEvent]:
    """The events of a segment in arrival order. Raises msgspec.DecodeError when the payload is damaged."""
    return _decoder.decode(payload)
