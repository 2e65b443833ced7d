"""A first schema from documents that were seen. Pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import jsonschema_rs

from events.schemas.structure import DIALECT

# Few values, each often: a smaller sample says nothing about what else may come.
ENUM_SAMPLES: Final = 50
ENUM_VALUES: Final = 8
_ENUM_LENGTH: Final = 40
_FORMAT_SAMPLES: Final = 2
# An object with more names than these is a map: its keys are values.
MAP_KEYS: Final = 64
_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (dict, "object"), (list, "array"),
)  # fmt: skip
_FORMATS: Final = {
    name: jsonschema_rs.Draft202012Validator({"format": name}, validate_formats=True, offline=True).is_valid
    for name in ("date-time", "date", "uuid", "ipv4", "email")
}


def infer_schema(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A schema that accepts all of `documents`, and further members: types, required, formats, small enums.

    Bounds are not guessed: the largest number seen is no limit.
    """
    return {"$schema": DIALECT, **_infer(documents)}


def _infer(values: Sequence[Any]) -> dict[str, Any]:
    kinds = Counter(_name_of(value) for value in values)
    if not kinds:
        return {}
    names = sorted(kinds, key=lambda name: (name == "null", name))
    if "number" in names and "integer" in names:
        names.remove("integer")
    schema: dict[str, Any] = {"type": names[0] if len(names) == 1 else names}
    if objects := [value for value in values if isinstance(value, dict)]:
        schema |= _infer_members(objects)
    if arrays := [value for value in values if isinstance(value, list)]:
        items = _infer([item for array in arrays for item in array])
        schema |= {"items": items} if items else {}
    if set(names) == {"string"}:
        schema |= _infer_text([value for value in values if isinstance(value, str)])
    return schema


def _name_of(value: Any) -> str:
    return next((name for kind, name in _NAMES if isinstance(value, kind)), "null")


def _infer_members(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, list[Any]] = {}
    for each in objects:
        for name, value in each.items():
            found.setdefault(name, []).append(value)
    if len(found) > MAP_KEYS:
        return {"additionalProperties": _infer([value for values in found.values() for value in values])}
    schema: dict[str, Any] = {"properties": {name: _infer(values) for name, values in found.items()}}
    required = [name for name, values in found.items() if len(values) == len(objects)]
    return schema | ({"required": required} if required else {})


def _infer_text(texts: Sequence[str]) -> dict[str, Any]:
    if len(texts) >= _FORMAT_SAMPLES:
        for name, has_format in _FORMATS.items():
            if all(map(has_format, texts)):
                return {"format": name}
    values = Counter(texts)
    few = len(values) <= ENUM_VALUES and len(texts) >= ENUM_SAMPLES
    often = all(count * 5 * len(values) >= len(texts) for count in values.values())
    if few and often and max(map(len, values)) <= _ENUM_LENGTH:
        return {"enum": sorted(values)}
    return {}
