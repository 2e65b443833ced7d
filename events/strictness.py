"""What JSON allows and an event may not have: exact, slow checks behind the decoder's fast suspicions."""

import json
import re
from typing import Any, NoReturn

from events.errors import InvalidEvent, RequestRefused
from events.limits import MAX_DEPTH

# An unterminated string matches too, to the end: tried again from each quote in it, it would cost its square.
_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_LARGEST = int(1.7976931348623157e308)


def nests_deeper(raw: bytes, levels: int = MAX_DEPTH) -> bool:
    """Whether arrays and objects nest more than `levels` deep in a JSON text: by bytes, since it may be hostile."""
    if raw.count(b"[") + raw.count(b"{") <= levels:
        return False
    brackets = _STRINGS.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(levels):
        brackets = brackets.replace(b"[]", b"")  # the innermost level of each branch
    return b"[]" in brackets or brackets.count(b"[") > levels


def too_deep() -> InvalidEvent:
    return InvalidEvent("too_deep", "", f"The event nests deeper than {MAX_DEPTH} levels; flatten it.")


def body_too_deep() -> RequestRefused:
    return RequestRefused(400, "too_deep", f"The body nests deeper than {MAX_DEPTH} levels; flatten it.")


def check_exactly(raw: bytes, *, shallow: bool = False) -> None:
    """Raise InvalidEvent for depth, duplicate keys, NUL, lone surrogates or numbers no double can hold.

    `shallow`: the caller knows that the depth is within its limit.

    Also the explainer for a text that the fast decoder refused: raises what it finds, or returns.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent("invalid_utf8", "", f"Not UTF-8: byte {error.start} of the event.") from None
    if not shallow and nests_deeper(raw):
        raise too_deep()
    try:
        document = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_finite_integer,
        )
    except ValueError as error:
        raise InvalidEvent("malformed_json", "", f"Not JSON: {error}.") from None
    if "\\u" in text:  # both come by escapes only: as bytes, one is not JSON and the other not UTF-8
        _check_strings(document, "")


def require_json(body: bytes) -> bytes:
    """`body` when it is JSON by RFC 8259. Raises RequestRefused (400) with the place where it is not."""
    try:
        json.loads(body.decode(), parse_constant=_no_constant, parse_int=str)
    except InvalidEvent as verdict:
        raise RequestRefused(400, verdict.code, verdict.message) from None
    except RecursionError:
        raise body_too_deep() from None
    except ValueError as error:
        raise RequestRefused(400, "malformed_json", f"The body is not JSON: {error}.") from None
    return body


def split_exactly(body: bytes) -> list[bytes]:
    """The items of a JSON array as texts, one by one. Raises RequestRefused (400) when it is not JSON."""
    require_json(body)
    text = body.decode()
    decoder = json.JSONDecoder(parse_int=str)
    items, place = [], _skip_space(text, text.index("[") + 1)
    while text[place] != "]":
        _, end = decoder.raw_decode(text, place)
        items.append(text[place:end].encode())
        place = _skip_space(text, end)
        if text[place] == ",":
            place = _skip_space(text, place + 1)
    return items


def _skip_space(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                shown = key.encode(errors="replace").decode()
                raise InvalidEvent("duplicate_key", "", f"The key {shown!r} stands twice; keep one.")
            seen.add(key)
    return document


def _no_constant(name: str) -> NoReturn:
    raise InvalidEvent("malformed_json", "", f"{name} is not JSON; send a finite number or null.")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise InvalidEvent(
            "number_out_of_range", "", f"{text[:40]} is beyond a double; send a finite number."
        )
    return number


def _finite_integer(text: str) -> int:
    if len(text) > 310:
        raise InvalidEvent(
            "number_out_of_range", "", f"{text[:40]}… is beyond a double; send it as a string."
        )
    check_integer(int(text))
    return int(text)


def check_integer(number: int) -> None:
    """Raise InvalidEvent for an integer beyond the range of a double."""
    if not -_LARGEST <= number <= _LARGEST:
        raise InvalidEvent("number_out_of_range", "", "An integer is beyond a double; send it as a string.")


def _check_strings(node: object, pointer: str) -> None:
    if isinstance(node, str):
        _check_string(node, pointer)
    elif isinstance(node, list):
        for place, item in enumerate(node):
            _check_strings(item, f"{pointer}/{place}")
    elif isinstance(node, dict):
        for key, item in node.items():
            _check_string(key, pointer)
            _check_strings(item, f"{pointer}/{escape_pointer(key)}")


def _check_string(text: str, pointer: str) -> None:
    if "\0" in text:
        raise InvalidEvent(
            "nul_character", pointer, "A string holds U+0000, which cannot be stored; remove it."
        )
    if _LONE_SURROGATE.search(text):
        raise InvalidEvent(
            "lone_surrogate", pointer, "A string holds half a surrogate pair; send the whole character."
        )


def escape_pointer(key: str) -> str:
    """One token of a JSON pointer, RFC 6901."""
    return key.replace("~", "~0").replace("/", "~1")
