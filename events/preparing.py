"""From a decoded event to what a flush writes: identity, partition, time checks and the packed row. Pure."""

from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec
import uuid_utils
from msgspec import UNSET
from msgspec.structs import astuple

from events.decoding import Event
from events.errors import InvalidEvent
from events.identity import identity_key
from events.limits import MAX_AHEAD_HOURS
from events.partitions import partition_of
from events.rows import NULL, attributed_row, event_row, place_fields, text_field

_T = TypeVar("_T")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
# Some 6 MiB at most, with texts of the length that is worth it.
_CACHED_FIELDS: Final = 16_384
_CACHED_LENGTH: Final = 64
_NULL_TEXT: Final = b"null"


class Prepared(msgspec.Struct, gc=False):
    """One event, ready to store. `uid` is 16 bytes, `time_us` microseconds since 1970."""

    project_id: int
    position: int
    time_us: int
    uid: bytes
    identified: bool  # the sender chose the id, so identity decides whether it is new
    id: str
    type: str
    source: str
    subject: str
    key: str
    partition: int
    value: float | None
    data: bytes
    row: bytes
    attributes: bytes = b""  # JSON text of what another protocol's event has beyond these


class Bounds(msgspec.Struct, frozen=True):
    """What event times a key may write, in microseconds since 1970, and the days they came from."""

    earliest_us: int
    latest_us: int
    days: int


def time_bounds(*, now_us: int, retention_days: int) -> Bounds:
    """From `retention_days` ago to MAX_AHEAD_HOURS ahead: stray times must not make thousands of chunks."""
    return Bounds(now_us - retention_days * _DAY_US, now_us + MAX_AHEAD_HOURS * _HOUR_US, retention_days)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime, exact."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def prepare(event: Event, *, position: int, project_id: int, now_us: int, bounds: Bounds) -> Prepared:
    """Raises InvalidEvent (time_out_of_range). An event without a time gets `now_us`."""
    try:
        kind, sent_id, source, subject, key, time, value, data = astuple(event)
    except ValueError:
        # An AttributedEvent has one more. To ask each event for its class costs a hundredth of the batch rate.
        return _prepare_attributed(
            event, position=position, project_id=project_id, now_us=now_us, bounds=bounds
        )
    time_us = microseconds(time) if time else now_us
    if not bounds.earliest_us <= time_us <= bounds.latest_us:
        raise out_of_range(time_us, bounds)
    source = source or ""
    subject = subject or ""
    if sent_id:
        uid = identity_key(project_id, source, sent_id)
        shown = sent_id
        id_field = text_field(sent_id)
    else:
        made = uuid_utils.uuid7()
        uid = made.bytes
        shown = str(made)
        id_field = NULL
    key = key or subject or source or shown
    placed = _places.get(key)
    if placed is None or placed[0] != project_id:
        placed = _place(project_id, key)
    number = value if value.__class__ is float else None
    text = b"" if data is UNSET else bytes(data)
    if text == _NULL_TEXT:
        text = b""
    row = event_row(
        project_id, time_us, uid, _fields.get(kind) or _field(kind), _fields.get(source) or _field(source),
        _fields.get(subject) or _field(subject), placed[2], id_field, number, text,
    )  # fmt: skip
    return Prepared(
        project_id, position, time_us, uid, id_field is not NULL, shown, kind, source, subject, key, placed[1],
        number, text, row,
    )  # fmt: skip


def _prepare_attributed(
    event: Event, *, position: int, project_id: int, now_us: int, bounds: Bounds
) -> Prepared:
    """As one of ours, with the attributes put into its row: events without any pay nothing for them."""
    *fields, attributes = astuple(event)
    prepared = prepare(Event(*fields), position=position, project_id=project_id, now_us=now_us, bounds=bounds)
    prepared.attributes = bytes(attributes)
    prepared.row = attributed_row(prepared.row, prepared.attributes, prepared.value, prepared.data)
    return prepared


_fields: dict[str, bytes] = {}
_places: dict[str, tuple[int, int, bytes]] = {}


def _place(project_id: int, key: str) -> tuple[int, int, bytes]:
    """(project, partition, packed fields) of a partition key, kept like `_field`'s: a key is used again soon."""
    partition = partition_of(project_id, key)
    placed = project_id, partition, place_fields(key, partition)
    _keep(_places, key, placed)
    return placed


def _field(text: str) -> bytes:
    """Types, sources and subjects repeat, so their packed form is kept, within a bound."""
    packed = text_field(text)
    _keep(_fields, text, packed)
    return packed


def _keep(cache: dict[str, _T], text: str, packed: _T) -> None:
    if len(text) <= _CACHED_LENGTH:
        if len(cache) >= _CACHED_FIELDS:
            cache.clear()
        cache[text] = packed


def out_of_range(time_us: int, bounds: Bounds) -> InvalidEvent:
    """The verdict on a time that is not within `bounds`."""
    if time_us > bounds.latest_us:
        remedy = f"is more than {MAX_AHEAD_HOURS} h ahead; check the sender's clock"
    else:
        remedy = (
            f"is older than the {bounds.days} days this project keeps; import it, or lengthen the retention"
        )
    return InvalidEvent("time_out_of_range", "/time", f"`time` {remedy}.")
