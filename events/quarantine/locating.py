"""Where in a JSON text the value is that a pointer names, for people to look at. Pure."""

import json
from typing import Final

_decoder: Final = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACE: Final = " \t\r\n"


def locate(text: str, pointer: str) -> tuple[int, int] | None:
    """(start, end) of the member or item at an RFC 6901 pointer, its key included; None where it cannot be told."""
    if not pointer.startswith("/"):
        return None
    place = _skip(text, 0)
    span: tuple[int, int] | None = None
    try:
        for token in pointer[1:].split("/"):
            span = _step(text, place, token.replace("~1", "/").replace("~0", "~"))
            if span is None:
                return None
            place = _value_of(text, span[0]) if text[place] == "{" else span[0]
    except (ValueError, IndexError, RecursionError):
        return None
    return span


def _step(text: str, place: int, token: str) -> tuple[int, int] | None:
    """The member `token` of the object, or the item of the array, that begins at `place`."""
    is_object = text[place] == "{"
    if not is_object and text[place] != "[":
        return None
    position = 0
    at = _skip(text, place + 1)
    while text[at] not in "}]":
        name = _decoder.raw_decode(text, at)[0] if is_object else str(position)
        _, end = _decoder.raw_decode(text, _value_of(text, at) if is_object else at)
        if name == token:
            return at, end
        position += 1
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def _value_of(text: str, key: int) -> int:
    """Where the value begins of the member whose key begins at `key`."""
    _, end = _decoder.raw_decode(text, key)
    return _skip(text, _skip(text, end) + 1)


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in _SPACE:
        place += 1
    return place
