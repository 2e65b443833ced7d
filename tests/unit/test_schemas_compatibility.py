"""What a new version may refuse of what the one before accepted; and first schemas from documents."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from events.schemas.compatibility import find_incompatible
from events.schemas.compiling import compile_schema
from events.schemas.inference import ENUM_SAMPLES, infer_schema

P = "properties"


@pytest.mark.parametrize(
    ("old", "new", "pointer", "said"),
    [
        ({}, {"required": ["a"]}, "/required", "`a` is required now"),
        ({P: {"a": {}}}, {P: {"a": False}}, "/properties/a", "Nothing is accepted"),
        (
            {P: {"a": {}, "b": {}}, "additionalProperties": False},
            {P: {"b": {}}, "additionalProperties": False},
            "/additionalProperties",
            "`a` was removed",
        ),
        ({}, {"additionalProperties": False}, "/additionalProperties", "not named"),
        (
            {P: {"a": {"type": "number"}}},
            {P: {"a": {"type": "integer"}}},
            "/properties/a/type",
            "number is refused",
        ),
        (
            {P: {"a": {"type": ["string", "null"]}}},
            {P: {"a": {"type": "string"}}},
            "/properties/a/type",
            "null",
        ),
        ({P: {"a": {}}}, {P: {"a": {"type": "string"}}}, "/properties/a/type", "narrowed"),
        ({"items": {"type": "string"}}, {"items": {"type": "null"}}, "/items/type", "string"),
        ({P: {"a": {"type": "string"}}}, {P: {"a": {"enum": ["x"]}}}, "/properties/a/enum", "Only some"),
        ({P: {"a": {"type": "integer"}}}, {P: {"a": {"minimum": 1}}}, "/properties/a/minimum", "new"),
        (
            {P: {"a": {"minimum": 1}}},
            {P: {"a": {"minimum": 2}}},
            "/properties/a/minimum",
            "raised from 1 to 2",
        ),
        (
            {P: {"a": {"maxLength": 5}}},
            {P: {"a": {"maxLength": 4}}},
            "/properties/a/maxLength",
            "lowered from 5 to 4",
        ),
        (
            {P: {"a": {"maximum": 5}}},
            {P: {"a": {"exclusiveMaximum": 5}}},
            "/properties/a/exclusiveMaximum",
            "new",
        ),
        (
            {P: {"a": {"type": "array"}}},
            {P: {"a": {"uniqueItems": True}}},
            "/properties/a/uniqueItems",
            "unique",
        ),
        (
            {P: {"a": {"type": "string"}}},
            {"additionalProperties": {"type": "null"}},
            "/additionalProperties/type",
            "string",
        ),
        (
            {"$ref": "#/$defs/x", "$defs": {"x": {}}},
            {"$ref": "#/$defs/x", "$defs": {"x": {"required": ["a"]}}},
            "/required",
            "`a`",
        ),
        ({P: {"a/b": {"type": "string"}}}, {P: {"a/b": {"type": "null"}}}, "/properties/a~1b/type", "string"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_accepts_less_is_breaking(old: Any, new: Any, pointer: str, said: str) -> None:
    found = [finding for finding in find_incompatible(old, new) if finding.level == "breaking"]
    assert any(finding.pointer == pointer and said in finding.message for finding in found), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({P: {"a": {"pattern": "x"}}}, {P: {"a": {"pattern": "y"}}}),
        ({}, {P: {"a": {"type": "string"}}}),
        ({"anyOf": [{}]}, {"anyOf": [{"required": ["a"]}]}),
        ({P: {"a": {"enum": ["x", "y"]}}}, {P: {"a": {"enum": ["x"]}}}),
        ({"allOf": [{"required": ["a"]}]}, {"required": ["a"]}),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_possible_and_not_breaking(old: Any, new: Any) -> None:
    assert {finding.level for finding in find_incompatible(old, new)} == {"possible"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"required": ["a"]}, {}),
        ({"type": "object"}, {"type": "object", "title": "x", "description": "y"}),
        ({P: {"a": {"type": "integer"}}}, {P: {"a": {"type": "number"}}}),
        ({P: {"a": {"enum": ["x"]}}}, {P: {"a": {"enum": ["x", "y"]}}}),
        ({P: {"a": {"const": "x"}}}, {P: {"a": {"enum": ["x", "y"]}}}),
        ({P: {"a": {"enum": ["x", "y"]}}}, {P: {"a": {"type": "string"}}}),
        ({P: {"a": {"minimum": 2}}}, {P: {"a": {"minimum": 1}}}),
        ({P: {"a": {"exclusiveMinimum": 2}}}, {P: {"a": {"minimum": 2}}}),
        ({P: {"a": {"type": "string"}}}, {P: {"a": {"type": "string", "minimum": 5, "maxItems": 1}}}),
        ({"required": ["a"]}, {"required": ["a"], "minProperties": 1}),
        (
            {P: {"a": {}}, "additionalProperties": False},
            {P: {"a": {}, "b": {"type": "string"}}, "additionalProperties": False},
        ),
        ({P: {"a": False}}, {P: {"a": {"type": "string"}}}),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}}, {"type": "object"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_accepts_as_much_has_no_findings(old: Any, new: Any) -> None:
    assert find_incompatible(old, new) == []


NAMES = st.sampled_from(["a", "b"])
TYPES = st.sampled_from(["string", "integer", "null", "number"])
SCALARS = st.one_of(
    st.just({}),
    st.builds(lambda low: {"type": "integer", "minimum": low}, st.integers(0, 2)),
    st.builds(lambda high: {"type": "number", "exclusiveMaximum": high}, st.integers(0, 2)),
    st.builds(lambda size: {"type": "string", "maxLength": size}, st.integers(0, 2)),
    st.builds(lambda kinds: {"type": sorted(kinds)}, st.sets(TYPES, min_size=1)),
    st.builds(lambda values: {"enum": sorted(values)}, st.sets(st.sampled_from(["", "x", "xx"]), min_size=1)),
)  # fmt: skip


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda members, required, others: {
            "type": "object", "properties": members, "required": sorted(required), **others
        },
        st.dictionaries(NAMES, inner, max_size=2),
        st.sets(NAMES),
        st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": {"type": "integer"}}]),
    )  # fmt: skip


SCHEMAS = objects(
    st.one_of(SCALARS, st.builds(lambda items: {"type": "array", "items": items}, SCALARS), objects(SCALARS))
)
VALUES = st.sampled_from(
    [None, 0, 1, 2, 0.5, "", "x", "xx", [], [1], ["x"], [None], {}, {"a": 1}, {"b": "x"}]
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3)


@given(SCHEMAS, SCHEMAS, DOCUMENTS)
def test_where_nothing_is_found_what_was_accepted_is_accepted(old: Any, new: Any, document: Any) -> None:
    assume(find_incompatible(old, new) == [])
    text = json.dumps(document).encode()
    if compile_schema(json.dumps(old)).first_violation(text) is None:
        assert compile_schema(json.dumps(new)).first_violation(text) is None


def test_a_schema_is_inferred_from_what_was_seen() -> None:
    at = "2026-01-31T12:00:00Z"
    documents = [
        {"n": 1, "x": 1, "s": "free", "at": at, "user": {"id": 7}, "tags": ["a"], "maybe": None},
        {"n": 2, "x": 1.5, "s": "text", "at": at, "user": {"id": 8, "name": "Ada"}, "tags": [], "maybe": "x"},
    ]
    schema = infer_schema(documents)
    assert schema["type"] == "object"
    assert schema["required"] == ["n", "x", "s", "at", "user", "tags", "maybe"]
    assert schema[P] == {
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "s": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "user": {
            "type": "object",
            P: {"id": {"type": "integer"}, "name": {"type": "string"}},
            "required": ["id"],
        },
        "tags": {"type": "array", "items": {"type": "string"}},
        "maybe": {"type": ["string", "null"]},
    }


def test_an_enum_is_inferred_only_from_few_values_that_come_often() -> None:
    often = [{"s": ("on", "off")[number % 2]} for number in range(ENUM_SAMPLES)]
    assert infer_schema(often)[P]["s"] == {"type": "string", "enum": ["off", "on"]}
    assert "enum" not in infer_schema(often[:-1])[P]["s"]
    assert "enum" not in infer_schema([*often, {"s": "once"}])[P]["s"]


def test_an_object_with_very_many_names_is_a_map() -> None:
    schema = infer_schema([{"by_sku": {f"sku-{number}": number for number in range(200)}}])
    assert schema[P]["by_sku"] == {"type": "object", "additionalProperties": {"type": "integer"}}


def test_no_documents_make_an_open_schema() -> None:
    assert compile_schema(json.dumps(infer_schema([]))).first_violation(b'{"a": 1}') is None


KEYS = st.text(alphabet="ab/~é ", max_size=3)
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["2026-01-31T12:00:00Z", "2026-13-31T12:00:00Z", "2026-02-30", "a@b.example", "x", "1.2.3.4"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
)  # fmt: skip


@given(st.lists(st.dictionaries(KEYS, JSON, max_size=4), min_size=1, max_size=4))
def test_what_a_schema_was_inferred_from_it_accepts(documents: list[dict[str, Any]]) -> None:
    validator = compile_schema(json.dumps(infer_schema(documents)))
    for document in documents:
        assert validator.first_violation(json.dumps(document).encode()) is None
