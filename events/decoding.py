"""The one strict decoder: bytes to events and verdicts. Pure: no database, no clock."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeVar, overload

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType
from msgspec.structs import astuple

from events import explaining, strictness
from events.errors import InvalidEvent, RequestRefused
from events.limits import MAX_DEPTH, MAX_EVENT_BYTES, MAX_EVENTS, MAX_ID, MAX_TEXT, MAX_TYPE

BodyFormat = Literal["json", "ndjson"]

TypeName = Annotated[str, Meta(min_length=1, max_length=MAX_TYPE)]
_Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
_Text = Annotated[str, Meta(max_length=MAX_TEXT)]
Time = Annotated[datetime, Meta(tz=True)]


class Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An event as its sender wrote it. Fields left out are UNSET; `data` is the JSON text of its object.

    The characters of `type` are checked apart: as a pattern of the decoder they cost more than all else it does.
    """

    type: TypeName
    id: _Id | UnsetType | None = UNSET
    source: _Text | UnsetType | None = UNSET
    subject: _Text | UnsetType | None = UNSET
    key: _Text | UnsetType | None = UNSET
    time: Time | UnsetType | None = UNSET
    value: float | UnsetType | None = UNSET
    data: Raw | UnsetType = UNSET


class AttributedEvent(Event, gc=False):
    """An event of another protocol: `attributes` is the JSON object of what it has beyond our fields."""

    attributes: Raw = Raw(b"{}")


class Opened(msgspec.Struct, frozen=True):
    """A body cut into the texts of its events. `decode` makes an event of one, or raises InvalidEvent.

    `size` is the bytes it holds while it waits. `events` are all of them already, where the body is known to be right
    throughout.
    """

    size: int
    frames: Sequence[bytes]
    decode: Callable[[bytes], Event]
    events: Sequence[Event] | None = None


# Opens a body. Raises RequestRefused (400, 413).
Opener = Callable[[bytes], Opened]

_Envelope = TypeVar("_Envelope")
_event_decoder = msgspec.json.Decoder(Event)
_events_decoder = msgspec.json.Decoder(list[Event])
_array_decoder = msgspec.json.Decoder(list[Raw])
_tree_decoder = msgspec.json.Decoder()
_trees_decoder = msgspec.json.Decoder(list[Any])
_SIMPLE: Final = frozenset({str, float, bool, type(None)})
_FLAT: Final = _SIMPLE | {int}
_LONG: Final = 309  # digits of the least integer that no double can hold
_FIELDS: Final = len(Event.__struct_fields__)
_is_type_name: Final = re.compile(r"[A-Za-z0-9._:/-]+").fullmatch
_CACHED_TYPES: Final = 4_096
_sound_types: set[str] = set()


def open_body(body: bytes, body_format: BodyFormat) -> Opened:
    """Open a body of our own formats. Raises RequestRefused (400, 413)."""
    events = decode_sound(body, body_format)
    if events is not None:
        return Opened(len(body), Frames(body, body_format, len(events)), _decode_closely, events)
    return Opened(len(body), split_body(body, body_format), partial(decode_event, plain=looks_plain(body)))


def split_body(body: bytes, body_format: BodyFormat) -> list[bytes]:
    """The JSON text of each event, in order. Raises RequestRefused (400, 413)."""
    frames = _ndjson_lines(body) if body_format == "ndjson" else _json_items(body)
    if not frames:
        raise RequestRefused(
            400, "empty_request", "The request holds no event. Send an event or an array of events."
        )
    if len(frames) > MAX_EVENTS:
        raise RequestRefused(
            413, "too_many_events", f"{len(frames)} events; send at most {MAX_EVENTS} in one request."
        )
    return frames


def _ndjson_lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line and not line.isspace()]


def _json_items(body: bytes) -> list[bytes]:
    if body.lstrip(b" \t\r\n")[:1] != b"[":
        return [require_value(body)]
    _require_utf8(body)
    try:
        return [bytes(item) for item in _array_decoder.decode(body)]
    except RecursionError:
        raise strictness.body_too_deep() from None
    except msgspec.DecodeError:
        # The decoder also stops at half a surrogate pair, which is JSON: one such event must not cost the others.
        return strictness.split_exactly(body)


def require_value(body: bytes) -> bytes:
    """`body` when it is one JSON value of any kind. Raises RequestRefused (400)."""
    _require_utf8(body)
    try:
        msgspec.json.decode(body, type=Raw)
    except RecursionError:
        raise strictness.body_too_deep() from None
    except msgspec.DecodeError:
        return strictness.require_json(body)
    return body


def _require_utf8(body: bytes) -> None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise RequestRefused(400, "invalid_utf8", f"The body is not UTF-8: byte {error.start}.") from None


def looks_plain(body: bytes) -> bool:
    """Whether a body is free of what could fool the cheap checks: NUL escapes, `\\":`, space before a colon.

    One byte is found some fifty times faster than two, so the rare bytes are looked for first.
    """
    if b"\\" in body and (b"\\u0000" in body or b'\\":' in body):
        return False
    return not (
        b" :" in body
        or (b"\t" in body and b"\t:" in body)
        or (b"\n" in body and b"\n:" in body)
        or (b"\r" in body and b"\r:" in body)
    )


def decode_sound(body: bytes, body_format: BodyFormat) -> list[Event] | None:
    """All events of a small body that is right throughout, a seventh sooner; None says to go event by event.

    The check for duplicate keys is `decode_event`'s, over the whole body: members and distinct keys only add up.
    """
    if len(body) > MAX_EVENT_BYTES or not looks_plain(body):
        return None
    try:
        if body_format == "ndjson":
            events = _event_decoder.decode_lines(body)
        elif body.lstrip(b" \t\r\n")[:1] == b"[":
            events = _events_decoder.decode(body)
        else:
            events = [_event_decoder.decode(body)]
        keys = _count_members(events)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, InvalidEvent):
        return None
    if body.count(b":") != keys and body.count(b'":') != keys:
        return None
    return events if 0 < len(events) <= MAX_EVENTS else None


def _count_members(events: list[Event]) -> int:
    """Members of the events and distinct keys of their data. Raises InvalidEvent, as `decode_event` would."""
    keys = _FIELDS * len(events)
    documents: list[Raw] = []
    for event in events:
        if event.type not in _sound_types:
            check_type(event.type)
        keys -= astuple(event).count(UNSET)
        if event.data is not UNSET:
            documents.append(event.data)
    # Of many documents, one call of the decoder takes two thirds of the time.
    trees = _trees_decoder.decode(b"[" + b",".join(documents) + b"]")
    for document, tree in zip(documents, trees, strict=True):
        keys += _tree_keys(document, tree)
    return keys


def check_type(name: str) -> None:
    """Raises InvalidEvent. Types repeat, so those that are right are remembered, within a bound."""
    if not _is_type_name(name):
        raise InvalidEvent("invalid_format", "/type", "`type` may hold A-Z a-z 0-9 . _ : / and - only.")
    if len(_sound_types) >= _CACHED_TYPES:
        _sound_types.clear()
    _sound_types.add(name)


class Frames(Sequence[bytes]):
    """The texts of `count` events that `decode_sound` found in a body, cut only when one is asked for."""

    def __init__(self, body: bytes, body_format: BodyFormat, count: int) -> None:
        self._body = body
        self._format = body_format
        self._count = count
        self._cut: list[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if self._cut is None:
            self._cut = split_body(self._body, self._format)
        return self._cut[place]


def decode_event(raw: bytes, *, plain: bool) -> Event:
    """One event from its JSON text, or InvalidEvent. `plain` is `looks_plain` of the text or of what held it.

    Duplicate keys cost no second parse. Every member has one colon outside strings, so where there are no more
    colons than distinct keys, no key stands twice. Where strings hold colons, keys end in `":` in a plain text.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise _too_large(raw)
    try:
        event = _event_decoder.decode(raw)
        if event.type not in _sound_types:
            check_type(event.type)
        keys = _FIELDS - astuple(event).count(UNSET)
        if event.data is not UNSET:
            keys += _tree_keys(event.data, _tree_decoder.decode(event.data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explaining.explain(raw, error) from None
    if not (plain or looks_plain(raw)) or (raw.count(b":") != keys and raw.count(b'":') != keys):
        strictness.check_exactly(raw, shallow=True)
    return event


_decode_closely: Final = partial(decode_event, plain=False)


def decode_envelope(
    raw: bytes, decoder: "msgspec.json.Decoder[_Envelope]", *, plain: bool
) -> tuple[_Envelope, dict[str, Any]]:
    """An event in another protocol's envelope, as strictly: what `decoder` makes of the text, and all its members.

    `decoder` is for a struct that says which members there are and what they may be; others are not its to refuse.
    Raises InvalidEvent.
    """
    if len(raw) > MAX_EVENT_BYTES:
        raise _too_large(raw)
    try:
        envelope = decoder.decode(raw)
        members: dict[str, Any] = _tree_decoder.decode(raw)
        keys = _count_keys(members, MAX_DEPTH)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise explaining.explain(raw, error) from None
    if not (plain or looks_plain(raw)) or (raw.count(b":") != keys and raw.count(b'":') != keys):
        strictness.check_exactly(raw, shallow=True)
    return envelope, members


def _too_large(raw: bytes) -> InvalidEvent:
    return InvalidEvent(
        "event_too_large", "", f"The event has {len(raw)} bytes; the limit is {MAX_EVENT_BYTES}."
    )


def _tree_keys(document: Raw, tree: Any) -> int:
    """How many distinct keys `data` has, at all depths. Raises InvalidEvent when it is no object, or too deep."""
    if tree.__class__ is dict:
        if len(document) < _LONG and _FLAT.issuperset(map(type, tree.values())):
            return len(tree)
        return _count_keys(tree, MAX_DEPTH - 1)
    if tree is None:
        return 0
    raise InvalidEvent("wrong_type", "/data", "`data` must be a JSON object; wrap other values in one.")


def _count_keys(node: Any, levels: int) -> int:
    """Distinct keys of a tree of at most `levels`. Also refuses integers that no double can hold."""
    if node.__class__ is int:
        strictness.check_integer(node)
        return 0
    if node.__class__ in _SIMPLE:
        return 0
    if levels == 0:
        raise strictness.too_deep()
    items = node.values() if node.__class__ is dict else node
    own = len(node) if node.__class__ is dict else 0
    return own + sum(_count_keys(item, levels - 1) for item in items)
