"""The corpus of bad and good events, in the envelope of a CloudEvent: where the verdict differs, and why."""

from dataclasses import dataclass, replace
from typing import Final

from tests.contracts.ingest_corpus import BAD_EVENTS, GOOD_EVENTS, BadEvent

# Extensions have names of their own, numbers may be texts, and data may be any value.
_GOOD_HERE: Final = {
    "value a string", "value true", "data an array", "data a string", "data a number", "data false",
    "an unknown field",
}  # fmt: skip
_BAD_NAMES: Final = {"an unknown field with a slash", "a known field in capitals"}
# The envelope takes room, and CloudEvents know no empty text, nor an event without an id.
_NOT_GOOD_HERE: Final = {"256 KiB", "every field null", "empty strings"}


@dataclass(frozen=True)
class GoodEvent:
    name: str
    text: bytes


def enveloped(text: bytes) -> bytes:
    """The same text with the attributes that it lacks, and `key` under its name as an extension."""
    if not text.startswith(b"{"):
        return text
    members = [b'"specversion":"1.0"']
    members += [b'"source":"/s"'] if b'"source":' not in text else []
    members += [b'"id":"i"'] if b'"id":' not in text else []
    rest = text[1:].replace(b'"key":', b'"partitionkey":')
    return b"{" + b",".join(members) + (b"" if rest == b"}" else b",") + rest


def _expected(bad: BadEvent) -> BadEvent:
    moved = replace(bad, text=enveloped(bad.text), pointer=bad.pointer.replace("/key", "/partitionkey"))
    return replace(moved, code="invalid_format") if bad.name in _BAD_NAMES else moved


BAD_CLOUDEVENTS: Final = [
    *[_expected(bad) for bad in BAD_EVENTS if bad.name not in _GOOD_HERE],
    *[
        BadEvent(name, b'{"specversion":"1.0","id":"i","source":"/s","type":"t",' + members + b"}", code, pointer)
        for name, members, code, pointer in [
            ("an attribute twice", b'"colour":1,"colour":2', "duplicate_key", ""),
            ("an object as an attribute", b'"colour":{}', "wrong_type", "/colour"),
            ("an array as an attribute", b'"colour":[1]', "wrong_type", "/colour"),
            ("NUL in an attribute", b'"colour":"\\u0000"', "nul_character", "/colour"),
            ("half a pair in an attribute", b'"colour":"\\ud800"', "lone_surrogate", "/colour"),
            ("a huge number as an attribute", b'"colour":1e999', "number_out_of_range", ""),
            ("no name", b'"":1', "invalid_format", "/"),
            ("an underscore in a name, and null", b'"a_b":null', "invalid_format", "/a_b"),
            ("an empty subject", b'"subject":""', "too_short", "/subject"),
            ("an empty partitionkey", b'"partitionkey":""', "too_short", "/partitionkey"),
            ("an empty datacontenttype", b'"datacontenttype":""', "too_short", "/datacontenttype"),
            ("a dataschema that is no text", b'"dataschema":1', "wrong_type", "/dataschema"),
            ("both kinds of data", b'"data":{},"data_base64":"AA=="', "invalid_format", "/data_base64"),
            ("no base64", b'"data_base64":"A"', "invalid_format", "/data_base64"),
            ("base64 of no text", b'"data_base64":1', "wrong_type", "/data_base64"),
            ("base64 with a line break", b'"data_base64":"AA\\n=="', "invalid_format", "/data_base64"),
            ("an array too deep", b'"data":' + b"[" * 32 + b"]" * 32, "too_deep", ""),
        ]
    ],
    BadEvent("no specversion", b'{"id":"i","source":"/s","type":"t"}', "missing_field", "/specversion"),
    BadEvent("no id", b'{"specversion":"1.0","source":"/s","type":"t"}', "missing_field", "/id"),
    BadEvent("no source", b'{"specversion":"1.0","id":"i","type":"t"}', "missing_field", "/source"),
    BadEvent(
        "an empty source", b'{"specversion":"1.0","id":"i","source":"","type":"t"}', "too_short", "/source"
    ),
    BadEvent(
        "version 0.3", b'{"specversion":"0.3","id":"i","source":"/s","type":"t"}',
        "unsupported_version", "/specversion",
    ),
    BadEvent(
        "version 1.0 as a number", b'{"specversion":1.0,"id":"i","source":"/s","type":"t"}',
        "wrong_type", "/specversion",
    ),
]  # fmt: skip
GOOD_CLOUDEVENTS: Final = [
    *[GoodEvent(name, enveloped(text)) for name, text in GOOD_EVENTS if name not in _NOT_GOOD_HERE],
    *[GoodEvent(bad.name, enveloped(bad.text)) for bad in BAD_EVENTS if bad.name in _GOOD_HERE],
]
