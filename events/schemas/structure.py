"""The parts of a JSON Schema, where its references lead, and bounds on what validating by it can cost. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from events.schemas.errors import Flaw
from events.strictness import escape_pointer

Schema = dict[str, Any] | bool

MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SUBSCHEMAS: Final = 2_000  # with each reference counted as often as it is followed
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

ONE: Final = frozenset({
    "additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then",
    "unevaluatedItems", "unevaluatedProperties", "contentSchema",
})  # fmt: skip
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
MAPS: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_UNUSABLE: Final = {
    "$dynamicRef": "Dynamic references are not supported; write $ref to #/$defs/….",
    "$dynamicAnchor": "Dynamic references are not supported; define it in $defs.",
    "$anchor": "Anchors are not supported; define it in $defs and refer to #/$defs/….",
    "$vocabulary": "Vocabularies belong to meta-schemas; remove it.",
}


def children(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """(pointer below `schema`, subschema) of its direct parts, not through references."""
    if not isinstance(schema, dict):
        return
    for keyword, value in schema.items():
        if keyword in ONE and isinstance(value, dict | bool):
            yield f"/{keyword}", value
        elif keyword in LISTS and isinstance(value, list):
            for place, item in enumerate(value):
                yield f"/{keyword}/{place}", item
        elif keyword in MAPS and isinstance(value, dict):
            for name, item in value.items():
                yield f"/{keyword}/{escape_pointer(name)}", item


def resolve(root: Schema, reference: str) -> Schema | None:
    """What a local reference (`#/$defs/…`) points to; None when nothing is there or it is not local."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return None
    node: Any = root
    for token in reference[2:].split("/"):
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        else:
            return None
    return node if isinstance(node, dict | bool) else None


def find_flaws(root: Schema) -> list[Flaw]:
    """What valid JSON Schema may say and a schema here may not: it is applied to each event as it arrives."""
    flaws = list(_unusable(root, ""))
    return flaws or list(_unbounded(root))


def _unusable(schema: Schema, pointer: str) -> Iterator[Flaw]:
    if not isinstance(schema, dict):
        return
    for keyword, remedy in _UNUSABLE.items():
        if keyword in schema:
            yield Flaw(f"{pointer}/{keyword}", remedy)
    if "$id" in schema and pointer:
        yield Flaw(f"{pointer}/$id", "Only the whole schema may have an $id; remove it.")
    if schema.get("$schema", DIALECT) not in {DIALECT, DIALECT + "#"}:
        yield Flaw(f"{pointer}/$schema", f"Only JSON Schema 2020-12 is supported; write {DIALECT}.")
    if schema.get("format") == "regex":
        yield Flaw(
            f"{pointer}/format", "Senders' expressions are not compiled here; remove the format regex."
        )
    for below, part in children(schema):
        yield from _unusable(part, pointer + below)


def _unbounded(root: Schema) -> Iterator[Flaw]:
    """References that lead outside, nowhere or in a circle; and too many parts once all of them are followed."""
    sizes: dict[str, int] = {}
    flaws: list[Flaw] = []

    def size(schema: Schema, pointer: str, trail: tuple[str, ...]) -> int:
        total = 1
        if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
            total += followed(reference, f"{pointer}/$ref", trail)
        return total + sum(
            size(part, pointer + below, trail)
            for below, part in children(schema)
            if not below.startswith(("/$defs/", "/definitions/")) or not trail
        )

    def followed(reference: str, pointer: str, trail: tuple[str, ...]) -> int:
        target = resolve(root, reference)
        if target is None:
            flaws.append(Flaw(pointer, f"{reference!r} is not in this schema; refer to #/$defs/… only."))
        elif reference in trail or len(trail) >= 64:
            flaws.append(
                Flaw(pointer, f"{reference!r} refers to itself; end it, or leave the inner part open.")
            )
        elif reference not in sizes:
            sizes[reference] = 0  # so that a flaw inside is told once
            sizes[reference] = size(target, reference[1:], (*trail, reference))
        return sizes.get(reference, 0)

    total = size(root, "", ())
    if not flaws and total > MAX_SUBSCHEMAS:
        flaws.append(Flaw("", f"It has {total} parts, references followed; simplify it to {MAX_SUBSCHEMAS}."))
    yield from flaws
