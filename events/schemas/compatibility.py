"""Whether a new version of a schema still accepts what the one before it accepted. Pure.

A documented subset: what is found is right, and what cannot be decided is said to be so. Nothing found is no proof.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from events.schemas.structure import Schema, resolve
from events.strictness import escape_pointer

MAX_FINDINGS: Final = 100
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})
# keyword: (the type it bounds, whether a larger number accepts less)
_BOUNDS: Final = {
    "minimum": ("integer", 1), "exclusiveMinimum": ("integer", 1), "minLength": ("string", 1),
    "minItems": ("array", 1), "minProperties": ("object", 1),
    "maximum": ("integer", -1), "exclusiveMaximum": ("integer", -1), "maxLength": ("string", -1),
    "maxItems": ("array", -1), "maxProperties": ("object", -1),
}  # fmt: skip
_TWINS: Final = {
    "minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum",
    "exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum",
}  # fmt: skip
_WHOLE: Final = (
    "pattern", "format", "multipleOf", "const", "not", "allOf", "anyOf", "oneOf", "if", "then", "else", "contains",
    "propertyNames", "patternProperties", "dependentSchemas", "dependentRequired", "unevaluatedProperties",
    "unevaluatedItems", "prefixItems", "minContains", "maxContains",
)  # fmt: skip
_NARROWING: Final = frozenset(_WHOLE) | {"enum"}
_SAYS_NOTHING: Final = frozenset({
    "$ref", "$defs", "definitions", "$schema", "$id", "$comment", "title", "description", "default", "examples",
})  # fmt: skip
Level = Literal["breaking", "possible"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`breaking`: some data that was accepted is now refused. `possible`: it may be; the two cannot be compared.

    `pointer` is a JSON pointer into the new schema.
    """

    level: Level
    pointer: str
    message: str


def find_incompatible(old: dict[str, Any], new: dict[str, Any]) -> list[Finding]:
    """Where `new` may refuse what `old` accepted, at most MAX_FINDINGS of them, in the schema's order."""
    found: list[Finding] = []
    for finding in _Comparison(old, new).compare(old, new, "", frozenset()):
        if finding not in found:
            found.append(finding)
        if len(found) == MAX_FINDINGS:
            break
    return found


class _Comparison:
    def __init__(self, old_root: Schema, new_root: Schema) -> None:
        self._old_root = old_root
        self._new_root = new_root

    def compare(
        self, old: Schema, new: Schema, pointer: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Finding]:
        """`seen` are the pairs of references that led here: a circle ends."""
        pair = _reference(old), _reference(new)
        if any(pair):
            if pair in seen:
                return
            seen |= {pair}
        old, new = _follow(old, self._old_root), _follow(new, self._new_root)
        if old is False or new is True or new == {} or (old == new and not _refers(old)):
            return
        if new is False:
            yield Finding("breaking", pointer, "Nothing is accepted here any more.")
            return
        first = old if isinstance(old, dict) else {}
        second = new if isinstance(new, dict) else {}
        findings = self._compare_parts(first, second, pointer, seen)
        # What the old version accepts may be narrower than its other keywords say.
        yield from _softened(findings, "") if first.keys() & _NARROWING else findings

    def _compare_parts(
        self, old: dict[str, Any], new: dict[str, Any], pointer: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Finding]:
        for check in _CHECKS:
            yield from check(old, new, pointer)
        types = _types_of(old) & _types_of(new)
        if "object" in types:
            yield from self._compare_members(old, new, pointer, seen)
        if "array" in types and "items" in new:
            yield from self.compare(old.get("items", True), new["items"], f"{pointer}/items", seen)

    def _compare_members(
        self, old: dict[str, Any], new: dict[str, Any], pointer: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Finding]:
        old_members, new_members = old.get("properties", {}), new.get("properties", {})
        old_others, new_others = old.get("additionalProperties", True), new.get("additionalProperties", True)
        for name, schema in new_members.items():
            place = f"{pointer}/properties/{escape_pointer(name)}"
            if name in old_members:
                yield from self.compare(old_members[name], schema, place, seen)
            else:
                findings = self.compare(old_others, schema, place, seen)
                yield from _softened(findings, f"`{name}` was not described before: ")
        place = f"{pointer}/additionalProperties"
        for name, schema in old_members.items():
            if name not in new_members and _follow(schema, self._old_root) is not False:
                yield from self._compare_removed(name, schema, new, place, seen)
        if new_others is False and old_others is not False:
            yield Finding("breaking", place, "Properties that are not named are refused now.")
        elif new_others is not False:
            yield from self.compare(old_others, new_others, place, seen)

    def _compare_removed(
        self, name: str, schema: Schema, new: dict[str, Any], place: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[Finding]:
        others = new.get("additionalProperties", True)
        if _follow(others, self._new_root) is False:
            level: Level = "possible" if new.get("patternProperties") else "breaking"
            yield Finding(level, place, f"The property `{name}` was removed, and others are refused.")
        else:
            yield from self.compare(schema, others, place, seen)


def _follow(schema: Schema, root: Schema) -> Schema:
    """The schema behind a reference, together with what stands beside it."""
    reference = _reference(schema)
    if not isinstance(schema, dict) or not reference:
        return schema
    target = resolve(root, reference)
    beside = {key: value for key, value in schema.items() if key not in _SAYS_NOTHING}
    if not beside:
        return _follow(True if target is None else target, root)
    return {**beside, "allOf": [*beside.get("allOf", ()), {"$ref": reference}]}


def _reference(schema: Schema) -> str:
    reference = schema.get("$ref", "") if isinstance(schema, dict) else ""
    return reference if isinstance(reference, str) else ""


def _refers(schema: Schema) -> bool:
    """Whether anything inside follows a reference, whose target may have changed though the text has not."""
    if isinstance(schema, dict):
        return "$ref" in schema or any(map(_refers, schema.values()))
    return isinstance(schema, list) and any(map(_refers, schema))


def _softened(findings: Iterator[Finding], why: str) -> Iterator[Finding]:
    for finding in findings:
        yield Finding("possible", finding.pointer, why + finding.message)


def _required(old: dict[str, Any], new: dict[str, Any], pointer: str) -> Iterator[Finding]:
    for name in new.get("required", ()) if "object" in _types_of(old) else ():
        if name not in old.get("required", ()):
            yield Finding("breaking", f"{pointer}/required", f"`{name}` is required now.")


def _types(old: dict[str, Any], new: dict[str, Any], pointer: str) -> Iterator[Finding]:
    before, after = _types_of(old), _types_of(new)
    if missing := sorted(before - after):
        accepted = ", ".join(missing)
        yield Finding("breaking", f"{pointer}/type", f"The type was narrowed: {accepted} is refused now.")


def _types_of(schema: dict[str, Any]) -> frozenset[str]:
    named = schema.get("type")
    types = _TYPES if named is None else frozenset([named] if isinstance(named, str) else named)
    if "number" in types:
        types |= {"integer"}
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        types &= {_type_of(value) for value in values}
    return types | {"integer"} if "number" in types else types


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return "number"


_TYPE_NAMES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"), (str, "string"), (int, "integer"), (dict, "object"), (list, "array"),
)  # fmt: skip


def _enums(old: dict[str, Any], new: dict[str, Any], pointer: str) -> Iterator[Finding]:
    if "enum" not in new:
        return
    place = f"{pointer}/enum"
    known = old.get("enum", [old["const"]] if "const" in old else None)
    if known is None:
        yield Finding("breaking", place, "Only some values are accepted now.")
        return
    for value in known:
        if not any(
            value == other and isinstance(value, bool) == isinstance(other, bool) for other in new["enum"]
        ):
            yield Finding("breaking", place, f"The value {str(value)[:80]!r} was removed.")


def _bounds(old: dict[str, Any], new: dict[str, Any], pointer: str) -> Iterator[Finding]:
    types = _types_of(old)
    for keyword, (kind, sense) in _BOUNDS.items():
        bound, known = new.get(keyword), old.get(keyword)
        if bound is None or bound == known or kind not in types:
            continue
        if known is None and not _covered(keyword, bound, old):
            yield Finding("breaking", f"{pointer}/{keyword}", f"The bound {bound} is new.")
        elif known is not None and (bound - known) * sense > 0:
            tightened = "raised" if sense > 0 else "lowered"
            yield Finding("breaking", f"{pointer}/{keyword}", f"Was {tightened} from {known} to {bound}.")
    if new.get("uniqueItems") and not old.get("uniqueItems") and "array" in types:
        yield Finding("breaking", f"{pointer}/uniqueItems", "Items must be unique now.")


def _covered(keyword: str, bound: Any, old: dict[str, Any]) -> bool:
    """Whether another keyword said as much already, or the bound says nothing."""
    if keyword in {"minLength", "minItems", "minProperties"}:
        return bool(bound <= (len(old.get("required", ())) if keyword == "minProperties" else 0))
    other = _TWINS.get(keyword)
    if other is None or other not in old:
        return False
    reach = (old[other] - bound) * _BOUNDS[keyword][1]
    return bool(reach >= 0 if other.startswith("exclusive") else reach > 0)


def _wholes(old: dict[str, Any], new: dict[str, Any], pointer: str) -> Iterator[Finding]:
    """Keywords that are compared as they are written, because what they allow cannot be compared."""
    for keyword in _WHOLE:
        if keyword in new and new[keyword] != old.get(keyword):
            if keyword == "const" and old.get("enum") == [new["const"]]:
                continue
            said = "was changed" if keyword in old else "is new"
            yield Finding(
                "possible", f"{pointer}/{keyword}", f"`{keyword}` {said}: what it accepts is not compared."
            )


_Check = Callable[[dict[str, Any], dict[str, Any], str], Iterator[Finding]]
_CHECKS: Final[tuple[_Check, ...]] = (_types, _required, _enums, _bounds, _wholes)
