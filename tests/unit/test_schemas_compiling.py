"""Schemas compiled: what is refused and where, what a violation says, and that nothing is fetched."""

import json
import time
from typing import Any

import pytest

from events.schemas.compiling import compile_schema
from events.schemas.errors import SchemaInvalid
from events.schemas.structure import MAX_SCHEMA_BYTES

DOUBLING = {
    "$ref": "#/$defs/d0",
    "$defs": {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} if level < 30 else {"type": "object"}
        for level in range(31)
    },
}


@pytest.mark.parametrize(
    ("schema", "pointer", "said"),
    [
        ({"type": "strin"}, "/type", "Not JSON Schema"),
        ({"properties": {"a/b": {"minimum": "x"}}}, "/properties/a~1b/minimum", "number"),
        ({"required": "a"}, "/required", "array"),
        ({"properties": {"a": {"pattern": "("}}}, "/properties/a/pattern", "expression"),
        ({"properties": {"a": {"pattern": "(?=a)b"}}}, "/properties/a/pattern", "look-around"),
        ({"patternProperties": {"(?!a)": {}}}, "/patternProperties", "look-around"),
        (
            {"properties": {"a": {"$ref": "https://example.com/s"}}},
            "/properties/a/$ref",
            "not in this schema",
        ),
        ({"items": {"$ref": "#/$defs/none"}}, "/items/$ref", "not in this schema"),
        ({"$ref": "#"}, "/$ref", "refers to itself"),
        (
            {"$defs": {"a": {"properties": {"b": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"},
            "/$defs/a/properties/b/$ref",
            "itself",
        ),
        ({"$dynamicRef": "#a"}, "/$dynamicRef", "not supported"),
        ({"$defs": {"a": {"$anchor": "x"}}}, "/$defs/a/$anchor", "not supported"),
        ({"$defs": {"a": {"$id": "x"}}}, "/$defs/a/$id", "remove it"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema", "2020-12"),
        ({"format": "regex"}, "/format", "remove"),
        (DOUBLING, "", "parts"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_schema_that_cannot_be_used_names_the_pointer(schema: Any, pointer: str, said: str) -> None:
    with pytest.raises(SchemaInvalid) as refused:
        compile_schema(json.dumps(schema))
    found = {flaw.pointer: flaw.message for flaw in refused.value.flaws}
    assert any(place.startswith(pointer) for place in found), found
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Not JSON"),
        ("{", "Not JSON"),
        ("[]", "JSON object"),
        ("true", "JSON object"),
        ('{"type": "string", "type": "object"}', "stands twice"),
        ('{"not": ' * 40 + "{}" + "}" * 40, "nests deeper"),
        (json.dumps({"description": "x" * MAX_SCHEMA_BYTES}), "bytes"),
        ('{"const": 1e999}', "double"),
        ('{"title": "\ud800"}', "UTF-8"),
    ],
    ids=lambda value: value[:12],
)
def test_a_text_that_is_no_schema_says_what_it_is(text: str, said: str) -> None:
    with pytest.raises(SchemaInvalid) as refused:
        compile_schema(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("schema", "data", "pointer", "message"),
    [
        ({"required": ["a"]}, {}, "/data/a", "`a` is required by the schema; add it."),
        ({"required": ["a"]}, None, "/data/a", "`a` is required by the schema; add it."),
        ({"properties": {"a": {"required": ["b/c"]}}}, {"a": {}}, "/data/a/b~1c", "`b/c` is required"),
        (
            {"properties": {"a": {"type": "integer"}}},
            {"a": "x"},
            "/data/a",
            "`a` must be a whole number; send one.",
        ),
        ({"properties": {"a": {"type": ["null", "string"]}}}, {"a": 1}, "/data/a", "null or a string"),
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 1]}, "/data/a/1", "a string"),
        (
            {"properties": {"a": {}}, "additionalProperties": False},
            {"b": 1},
            "/data/b",
            "not in the schema; leave it out",
        ),
        ({"properties": {"a": False}}, {"a": 1}, "/data/a", "leave it out"),
        ({"properties": {"a": {"enum": ["x", "y"]}}}, {"a": "z"}, "/data/a", "one of x, y; send that."),
        ({"properties": {"a": {"const": 5}}}, {"a": 6}, "/data/a", "must be 5"),
        ({"properties": {"a": {"minimum": 5}}}, {"a": 4}, "/data/a", "at least 5"),
        ({"properties": {"a": {"exclusiveMaximum": 5}}}, {"a": 5}, "/data/a", "less than 5"),
        ({"properties": {"a": {"maxLength": 1}}}, {"a": "xx"}, "/data/a", "at most 1 characters"),
        ({"properties": {"a": {"multipleOf": 2}}}, {"a": 3}, "/data/a", "multiple of 2"),
        ({"properties": {"a": {"pattern": "^x$"}}}, {"a": "y"}, "/data/a", "pattern ^x$"),
        ({"properties": {"a": {"format": "date-time"}}}, {"a": "y"}, "/data/a", "format date-time"),
        ({"properties": {"a": {"format": "email"}}}, {"a": "y"}, "/data/a", "format email"),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [1, 1]}, "/data/a", "twice"),
        ({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {}, "/data", "none of the shapes"),
        ({"oneOf": [{}, {}]}, {}, "/data", "exactly one"),
        ({"not": {}}, {}, "/data", "forbids"),
        ({"minProperties": 1}, {}, "/data", "at least 1 members"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "/data", "correct it"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_violation_points_into_the_event_and_names_the_remedy(
    schema: Any, data: Any, pointer: str, message: str
) -> None:
    text = b"" if data is None else json.dumps(data).encode()
    violation = compile_schema(json.dumps(schema)).first_violation(text)
    assert violation is not None
    assert violation.pointer == pointer
    assert message in violation.message


def test_values_of_events_are_not_quoted() -> None:
    schema = {
        "properties": {"a": {"type": "integer"}, "b": {"contains": {"const": 1}}, "c": {"format": "date"}}
    }
    validator = compile_schema(json.dumps(schema))
    for data in ({"a": "secret"}, {"b": ["secret"]}, {"c": "secret"}):
        violation = validator.first_violation(json.dumps(data).encode())
        assert violation is not None
        assert "secret" not in violation.message


def test_a_message_is_bounded() -> None:
    schema = {"additionalProperties": False, "properties": {"a": {"enum": ["x" * 500] * 1}}}
    validator = compile_schema(json.dumps(schema))
    for data in ({"a": 1}, {"n" * 5_000: 1}):
        violation = validator.first_violation(json.dumps(data).encode())
        assert violation is not None
        assert len(violation.message) <= 300


def test_null_data_is_no_data() -> None:
    assert compile_schema('{"type": "object"}').first_violation(b"null") is None
    assert compile_schema('{"type": "object"}').first_violation(b"") is None


def test_unknown_formats_and_numbers_of_any_size_are_taken() -> None:
    validator = compile_schema('{"properties": {"a": {"format": "sku"}, "b": {"type": "integer"}}}')
    assert validator.first_violation(b'{"a": "?", "b": %d}' % 10**300) is None


def test_a_hostile_pattern_costs_no_more_than_the_text() -> None:
    validator = compile_schema('{"properties": {"a": {"pattern": "^(a+)+$"}}}')
    begun = time.process_time()
    assert validator.first_violation(b'{"a": "%s!"}' % (b"a" * 100_000)) is not None
    assert time.process_time() - begun < 2


def test_very_many_violations_cost_no_more_than_one() -> None:
    validator = compile_schema('{"properties": {"a": {"items": {"type": "string"}}}}')
    begun = time.process_time()
    violation = validator.first_violation(b'{"a": [%s]}' % b",".join([b"1"] * 100_000))
    assert violation is not None
    assert violation.pointer == "/data/a/0"
    assert time.process_time() - begun < 2
