"""CloudEvents in HTTP's binary mode: attributes in `ce-` headers, the payload as the body. Pure."""

import base64
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from events.decoding import Opened, Opener, require_value
from events.errors import RequestRefused
from events.media_types import is_utf8, require_utf8, split_content_type
from events.protocols.cloudevents.envelope import open_json

PREFIX: Final = "ce-"
_TOLD_BY: Final = tuple(PREFIX + name for name in ("specversion", "id", "source", "type"))
_RESERVED: Final = frozenset({"data", "data_base64", "datacontenttype"})
_is_json: Final = re.compile(r"[^/]+/(?:[^/]+\+)?json").fullmatch
_is_text: Final = re.compile(r"text/[^/]+|[^/]+/(?:[^/]+\+)?xml").fullmatch
_escaped: Final = re.compile(r"\\(.)")
_encode: Final = msgspec.json.Encoder().encode


def is_binary(headers: Mapping[str, str]) -> bool:
    """Whether one of the attributes that each CloudEvent must have is a header."""
    return any(map(headers.__contains__, _TOLD_BY))


def open_binary(headers: Mapping[str, str]) -> Opener:
    """How to open the body that these headers come with. Raises RequestRefused (400, 415)."""
    attributes = {
        name.removeprefix(PREFIX): _decode_value(name, value)
        for name, value in headers.items()
        if name.startswith(PREFIX)
    }
    if reserved := _RESERVED & attributes.keys():
        raise RequestRefused(
            400,
            "invalid_header",
            f"{PREFIX}{min(reserved)} is no header of CloudEvents: the body is the data, Content-Type its type.",
        )
    content_type = headers.get("content-type", "")
    media_type, charset = split_content_type(content_type)
    if content_type:
        attributes["datacontenttype"] = content_type
    if not media_type or _is_json(media_type):
        require_utf8(charset)
        return partial(_open, attributes, _json_member)
    as_text = bool(_is_text(media_type)) and is_utf8(charset)
    return partial(_open, attributes, _text_member if as_text else _bytes_member)


def _decode_value(name: str, value: str) -> str:
    """Out of its quotes first, where it has any, then percent-decoded once (binding, 3.1.3.2)."""
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = _escaped.sub(r"\1", text[1:-1])
    try:
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except UnicodeError:
        raise RequestRefused(
            400, "invalid_header", f"{name} is not UTF-8; percent-encode it, once."
        ) from None


def _open(attributes: Mapping[str, str], member: Callable[[bytes], bytes], body: bytes) -> Opened:
    """As the same event in structured mode, which is also how it is kept when it is refused."""
    envelope = _encode(attributes)
    return open_json(envelope[:-1] + b"," + member(body) + b"}" if body else envelope)


def _json_member(body: bytes) -> bytes:
    return b'"data":' + require_value(body)


def _text_member(body: bytes) -> bytes:
    """Text when it can be: UTF-8 that PostgreSQL can hold."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _bytes_member(body)
    return _bytes_member(body) if "\0" in text else b'"data":' + _encode(text)


def _bytes_member(body: bytes) -> bytes:
    return b'"data_base64":"' + base64.b64encode(body) + b'"'
