"""A flush as bytes for the spool, and back: everything that is needed to store it, and nothing that was masked."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, overload
from uuid import UUID

import msgspec
from backports import zstd

from events.errors import IngestError, InvalidEvent
from events.flushes import Flush
from events.partitions import partition_of
from events.preparing import Prepared
from events.rows import NULL, attributed_row, event_row, place_fields, text_field
from events.submissions import Keyed, Rejection, Submission, Verdicts

_FAST: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SpooledEvent(msgspec.Struct, array_like=True, gc=False):
    """Prepared, without what can be made again of the rest."""

    position: int
    time_us: int
    uid: bytes
    identified: bool
    id: str
    type: str
    source: str
    subject: str
    key: str
    value: float | None
    data: bytes
    attributes: bytes = b""


class SpooledRequest(msgspec.Struct, array_like=True):
    """Submission. Each rejection: position, id, type, code, pointer, message, raw."""

    project_id: int
    key_id: int | None
    request_id: str
    frames: int
    whole: bool
    logged: bool
    keyed: tuple[bytes, bytes] | None
    events: list[SpooledEvent]
    rejections: list[tuple[int, str | None, str, str, str, str, bytes]]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[SpooledRequest]).decode
_json: Final = msgspec.json.Encoder().encode


def encode_flush(flush: Flush) -> bytes:
    """Its id is kept beside it, by the spool."""
    return zstd.compress(_encode([_spooled(each) for each in flush.submissions]), _FAST)


def decode_flush(flush_id: UUID, payload: bytes) -> Flush:
    """The same flush. Raises msgspec.DecodeError or zstd.ZstdError when the payload is damaged."""
    requests = _decode(zstd.decompress(payload))
    return Flush([_submission(request) for request in requests], flush_id)


def spooled_verdicts(submission: Submission) -> Verdicts:
    """What can be said of a request that is on this machine's disk: which of its events are kept."""
    ids: list[str | None] = [None] * len(submission.frames)
    for event in submission.prepared:
        ids[event.position] = event.id
    return Verdicts(len(submission.prepared), 0, submission.rejections, ids, spooled=True)


def _spooled(submission: Submission) -> SpooledRequest:
    return SpooledRequest(
        submission.project_id,
        submission.key_id,
        submission.request_id,
        len(submission.frames),
        submission.whole,
        submission.logged,
        submission.keyed,
        [
            SpooledEvent(
                each.position, each.time_us, each.uid, each.identified, each.id, each.type, each.source, each.subject,
                each.key, each.value, each.data, each.attributes,
            )
            for each in submission.prepared
        ],
        [
            (each.position, each.id, each.type, each.error.code, each.error.pointer, each.error.message, each.raw)
            for each in submission.rejections
        ],
    )  # fmt: skip


def _submission(request: SpooledRequest) -> Submission:
    prepared = [_prepared(request.project_id, each) for each in request.events]
    return Submission(
        project_id=request.project_id,
        key_id=request.key_id,
        request_id=request.request_id,
        prepared=prepared,
        rejections=[
            Rejection(position, event_id, event_type, InvalidEvent(code, pointer, message), raw)
            for position, event_id, event_type, code, pointer, message, raw in request.rejections
        ],
        frames=_Texts(prepared, request.frames),
        size=0,
        arrived=0.0,
        whole=request.whole,
        logged=request.logged,
        deliver=_nobody_waits,
        keyed=Keyed(*request.keyed) if request.keyed else None,
        spooled=True,
    )


def _nobody_waits(answer: Verdicts | IngestError) -> None:
    """The sender was told 202 when the request was spooled."""


def _prepared(project_id: int, event: SpooledEvent) -> Prepared:
    partition = partition_of(project_id, event.key)
    row = event_row(
        project_id, event.time_us, event.uid, text_field(event.type), text_field(event.source),
        text_field(event.subject), place_fields(event.key, partition),
        text_field(event.id) if event.identified else NULL, event.value, event.data,
    )  # fmt: skip
    return Prepared(
        project_id, event.position, event.time_us, event.uid, event.identified, event.id, event.type, event.source,
        event.subject, event.key, partition, event.value, event.data,
        attributed_row(row, event.attributes, event.value, event.data) if event.attributes else row,
        event.attributes,
    )  # fmt: skip


class _Texts(Sequence[bytes]):
    """The events' texts, written anew from what would have been stored.

    The senders' own bytes are not spooled: they may hold what the project's rules masked.
    """

    def __init__(self, prepared: Iterable[Prepared], count: int) -> None:
        self._events = {event.position: event for event in prepared}
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(self._count))]
        return _text(self._events[place])


def _text(event: Prepared) -> bytes:
    members: dict[str, Any] = {
        "type": event.type,
        "id": event.id if event.identified else None,
        "source": event.source,
        "subject": event.subject,
        "key": event.key,
        "time": _EPOCH + timedelta(microseconds=event.time_us),
        "value": event.value,
        "data": msgspec.Raw(event.data) if event.data else None,
        "attributes": msgspec.Raw(event.attributes) if event.attributes else None,
    }
    return _json({name: value for name, value in members.items() if value not in (None, "")})
