"""A simple correction for many events at once: fields set and removed, at the top or in `data`. Pure."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from events import strictness
from events.errors import InvalidEvent
from events.quarantine.errors import InvalidPatch

MOST_STEPS: Final = 20
_object: Final = msgspec.json.Decoder(dict[str, Raw])


class Step(msgspec.Struct, frozen=True):
    """`set` the field at `pointer` to `value`, or `remove` it: `/name`, or `/data/name`."""

    op: Literal["set", "remove"]
    pointer: str
    value: Any | UnsetType = UNSET


def check_patch(steps: Sequence[Step]) -> None:
    """Raises InvalidPatch."""
    if len(steps) > MOST_STEPS:
        raise InvalidPatch(f"{len(steps)} steps; give at most {MOST_STEPS}.")
    for step in steps:
        _path(step.pointer)
        if (step.op == "set") != (step.value is not UNSET):
            raise InvalidPatch(f"{step.pointer!r}: `set` needs a value, and `remove` takes none.")


def apply_patch(text: bytes, steps: Sequence[Step]) -> bytes:
    """The text with each step applied; as it is where it is no object, or unclear, so that its verdict says why."""
    if not steps:
        return text
    try:
        # Written anew, a key that stands twice would stand once: which one is meant is not for a patch to say.
        strictness.check_exactly(text)
    except InvalidEvent as error:
        if error.code in {"duplicate_key", "malformed_json", "invalid_utf8", "too_deep"}:
            return text
    try:
        document = _object.decode(text)
        for step in steps:
            _apply(document, step)
        return msgspec.json.encode(document)
    except msgspec.DecodeError:
        return text


def _apply(document: dict[str, Raw], step: Step) -> None:
    parent, field = _path(step.pointer)
    if parent is None:
        _change(document, field, step)
        return
    if parent not in document and step.op == "remove":
        return
    inner = _object.decode(document.get(parent, Raw(b"{}")))
    _change(inner, field, step)
    document[parent] = Raw(msgspec.json.encode(inner))


def _change(document: dict[str, Raw], field: str, step: Step) -> None:
    if step.op == "set":
        document[field] = Raw(msgspec.json.encode(step.value))
    else:
        document.pop(field, None)


def _path(pointer: str) -> tuple[str | None, str]:
    """(None or "data", field). Raises InvalidPatch."""
    first, *rest = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]
    if first == "" and len(rest) == 1:
        return None, rest[0]
    if first == "" and len(rest) == 2 and rest[0] == "data":
        return rest[0], rest[1]
    raise InvalidPatch(
        f"{pointer!r} is not a pointer to a field of an event: write /name, or /data/name for one of data."
    )
