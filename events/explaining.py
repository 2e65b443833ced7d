"""From the decoder's refusal to a verdict that names the field and the remedy."""

import re
from typing import Final

import msgspec

from events import strictness
from events.errors import InvalidEvent

_PATH = re.compile(r" - at `\$\.?([^`]*)`$")
_QUOTED = re.compile(r"`([^`]*)`")
_FIELDS: Final = "type, id, source, subject, key, time, value, data"
_JSON_NAMES: Final = {
    "str": "a string", "float": "a number", "int": "a number", "bool": "true or false", "null": "null",
    "object": "an object", "array": "an array", "datetime": "an RFC 3339 time",
}  # fmt: skip


def explain(raw: bytes, error: Exception) -> InvalidEvent:
    """The verdict for a text that the fast decoder refused with `error`."""
    if isinstance(error, RecursionError):
        return strictness.too_deep()
    try:
        strictness.check_exactly(raw)
    except InvalidEvent as verdict:
        return verdict
    if isinstance(error, msgspec.ValidationError):
        return _explain_validation(str(error))
    return InvalidEvent("malformed_json", "", f"Not JSON: {error}.")


def _explain_validation(text: str) -> InvalidEvent:
    path = _PATH.search(text)
    field = path[1] if path else ""
    said = _PATH.sub("", text)
    quoted = _QUOTED.findall(said)
    if said.startswith("Object contains unknown field"):
        name = quoted[0]
        pointer = "/" + strictness.escape_pointer(name)
        return InvalidEvent(
            "unknown_field",
            pointer,
            f"Unknown field `{name}`. Known: {_FIELDS}; put your own fields into data.",
        )
    if said.startswith("Object missing required field"):
        return InvalidEvent("missing_field", f"/{quoted[0]}", f"`{quoted[0]}` is required.")
    return _explain_field(field, said, quoted)


def _explain_field(field: str, said: str, quoted: list[str]) -> InvalidEvent:
    pointer = f"/{field}" if field and "[" not in field else ""
    name = field or "the event"
    if "timezone" in said:
        return InvalidEvent("time_without_zone", pointer, f"`{name}` has no zone; end it in Z or an offset.")
    if "RFC3339" in said:
        return InvalidEvent(
            "invalid_time", pointer, f"`{name}` is not an RFC 3339 time such as 2026-01-31T12:00:00Z."
        )
    if "out of range" in said:
        return InvalidEvent(
            "number_out_of_range", pointer, f"`{name}` is beyond a double; send a finite number."
        )
    if "length <=" in said:
        return InvalidEvent(
            "too_long", pointer, f"`{name}` may have at most {said.rsplit(' ', 1)[1]} characters."
        )
    if "length >=" in said:
        remedy = "name the kind of event" if field == "type" else "leave it out instead"
        return InvalidEvent("too_short", pointer, f"`{name}` may not be empty; {remedy}.")
    expected = (
        " or ".join(_JSON_NAMES.get(word, word) for word in quoted[0].split(" | "))
        if quoted
        else "another type"
    )
    got = _JSON_NAMES.get(quoted[-1], quoted[-1]) if quoted else "this"
    return InvalidEvent("wrong_type", pointer, f"{name}: expected {expected}, got {got}.")
