"""From what the validator found to a verdict's pointer and remedy. Values of events are never quoted."""

from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

from events.strictness import escape_pointer

MAX_MESSAGE: Final = 300
_NAMES: Final = {
    "string": "a string", "number": "a number", "integer": "a whole number", "boolean": "true or false",
    "null": "null", "object": "an object", "array": "an array",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    """Where `data` breaks its schema: a JSON pointer into the event, and what to do about it."""

    pointer: str
    message: str


def violation_of(error: jsonschema_rs.ValidationError) -> Violation:
    tokens = [str(token) for token in error.instance_path]
    kind, details = error.kind.name, error.kind.as_dict()
    if kind == "required":
        tokens.append(details["property"])
    elif kind in {"additionalProperties", "unevaluatedProperties"}:
        tokens.append(str(details["unexpected"][0]))
    pointer = "".join(f"/{escape_pointer(token)}" for token in ("data", *tokens))
    name = tokens[-1] if tokens else "data"
    message = f"`{name[:80]}` {_remedy(kind, details, error.message)}"
    return Violation(pointer, message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…")


def _remedy(kind: str, details: dict[str, Any], said: str) -> str:
    if kind == "type":
        return f"must be {' or '.join(_NAMES[name] for name in details['types'])}; send one."
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _BOUNDS:
        return f"{_BOUNDS[kind].format(*details.values())}; correct it."
    if kind in {"enum", "const"}:
        (allowed,) = details.values()
        shown = ", ".join(map(str, allowed[:10])) if isinstance(allowed, list) else str(allowed)
        return f"must be {'one of ' if kind == 'enum' else ''}{shown[:200]}; send that."
    return f"is not as the schema asks: {said}; correct it."


_PLAIN: Final = {
    "required": "is required by the schema; add it.",
    "additionalProperties": "is not in the schema; leave it out, or have the schema allow it.",
    "unevaluatedProperties": "is not in the schema; leave it out, or have the schema allow it.",
    "falseSchema": "may not be there by the schema; leave it out.",
    "uniqueItems": "has the same item twice; send each once.",
    "anyOf": "matches none of the shapes that the schema allows; send one of them.",
    "oneOf": "must match exactly one of the shapes that the schema allows; make it plain which.",
    "not": "has a shape that the schema forbids; change it.",
}
_BOUNDS: Final = {
    "minimum": "must be at least {}", "maximum": "must be at most {}", "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}", "multipleOf": "must be a multiple of {}",
    "minLength": "must have at least {} characters", "maxLength": "may have at most {} characters",
    "minItems": "must have at least {} items", "maxItems": "may have at most {} items",
    "minProperties": "must have at least {} members", "maxProperties": "may have at most {} members",
    "pattern": "must match the pattern {}", "format": "must have the format {}",
}  # fmt: skip
