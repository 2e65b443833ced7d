"""CloudEvents as JSON, one or a batch, to events. Pure."""

import base64
import binascii
import math
import re
from functools import partial
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from events.decoding import (
    AttributedEvent,
    Event,
    Opened,
    Time,
    TypeName,
    check_type,
    decode_envelope,
    looks_plain,
    split_body,
)
from events.errors import InvalidEvent
from events.limits import MAX_ID, MAX_TEXT
from events.strictness import escape_pointer

VERSION: Final = "1.0"

_Id = Annotated[str, Meta(max_length=MAX_ID)]
_Source = Annotated[str, Meta(max_length=MAX_TEXT)]
_Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
_Stated = Annotated[str, Meta(min_length=1)]


class Envelope(msgspec.Struct, gc=False):
    """The members that have a field of ours, or a rule; all others are extension attributes."""

    specversion: str
    id: _Id
    source: _Source
    type: TypeName
    subject: _Text | UnsetType | None = UNSET
    time: Time | UnsetType | None = UNSET
    datacontenttype: _Stated | UnsetType | None = UNSET
    dataschema: _Stated | UnsetType | None = UNSET
    partitionkey: _Text | UnsetType | None = UNSET
    data: Raw | UnsetType = UNSET
    data_base64: str | UnsetType | None = UNSET


_decoder: Final = msgspec.json.Decoder(Envelope)
_encode: Final = msgspec.json.Encoder().encode
# Members that a stored event has a field for; what else the envelope holds is kept as attributes.
_STORED: Final = frozenset({"id", "source", "type", "subject", "time", "data", "data_base64"})
_is_name: Final = re.compile(r"[a-z0-9]+").fullmatch
_is_decimal: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_is_empty_batch: Final = re.compile(rb"[ \t\r\n]*\[[ \t\r\n]*\][ \t\r\n]*").fullmatch


def open_json(body: bytes) -> Opened:
    """One CloudEvent, or an array of them, which may be empty: a body, or a WebSocket frame.

    Raises RequestRefused (400, 413) when it is no JSON, or has too many events.
    """
    frames = [] if _is_empty_batch(body) else split_body(body, "json")
    return Opened(len(body), frames, partial(decode_cloudevent, plain=looks_plain(body)))


def decode_cloudevent(raw: bytes, *, plain: bool) -> Event:
    """One event from the JSON text of its envelope, or InvalidEvent; `plain` as `decode_event` has it.

    Attributes without a field of ours are the event's `attributes`, and there `data` (which cannot be the name of an
    attribute) tells of a payload that is no object: null, or "wrapped" when `data` holds it in its only member.
    """
    envelope, members = decode_envelope(raw, _decoder, plain=plain)
    _check_required(envelope)
    attributes = _kept_attributes(members)
    data, told = _payload(envelope, members)
    return AttributedEvent(
        type=envelope.type,
        id=envelope.id,
        source=envelope.source,
        subject=envelope.subject,
        key=envelope.partitionkey,
        time=envelope.time,
        value=_measurement(members.get("value")),
        data=data,
        attributes=Raw(_encode(attributes | told)),
    )


def _check_required(envelope: Envelope) -> None:
    if envelope.specversion != VERSION:
        raise InvalidEvent(
            "unsupported_version", "/specversion", f"`specversion` must be {VERSION}; send CloudEvents 1.0."
        )
    for name, text in (("id", envelope.id), ("source", envelope.source)):
        if not text:
            raise InvalidEvent("too_short", f"/{name}", f"`{name}` may not be empty: CloudEvents require it.")
    check_type(envelope.type)


def _kept_attributes(members: dict[str, Any]) -> dict[str, Any]:
    """What the event has no field for, and its extensions; null means unset. Raises InvalidEvent."""
    kept: dict[str, Any] = {}
    for name, value in members.items():
        if name in _STORED:
            continue
        if not _is_name(name):
            raise InvalidEvent(
                "invalid_format", f"/{escape_pointer(name)}", "An attribute's name may hold a-z and 0-9 only."
            )
        if isinstance(value, dict | list):
            raise InvalidEvent(
                "wrong_type",
                f"/{name}",
                "An attribute is a string, a number or a boolean; put others into data.",
            )
        if value is not None:
            kept[name] = value
    return kept


def _measurement(value: object) -> float | UnsetType:
    """A number, or a decimal number as text, as binary mode has to write it; anything else measures nothing."""
    if isinstance(value, str):
        number = float(value) if _is_decimal(value) else math.inf
    else:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.inf
    return number if math.isfinite(number) else UNSET


def _payload(envelope: Envelope, members: dict[str, Any]) -> tuple[Raw | UnsetType, dict[str, str | None]]:
    """`data` as it is stored, which is an object, and what the attributes tell of it. Raises InvalidEvent."""
    data = members.get("data")
    if isinstance(envelope.data_base64, str):
        if data is not None:
            raise InvalidEvent(
                "invalid_format", "/data_base64", "`data` and `data_base64` exclude each other; send one."
            )
        _check_base64(envelope.data_base64)
        return Raw(_encode({"data_base64": envelope.data_base64})), {"data": "wrapped"}
    if envelope.data is UNSET:
        return UNSET, {}
    if data is None:
        return UNSET, {"data": None}
    if isinstance(data, dict):
        return envelope.data, {}
    return Raw(b'{"data":' + bytes(envelope.data) + b"}"), {"data": "wrapped"}


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidEvent(
            "invalid_format", "/data_base64", "`data_base64` is not base64 (RFC 4648, with padding)."
        ) from None
