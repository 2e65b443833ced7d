"""From a schema's text to a validator, or to what is wrong with it and where. Pure; cached by text."""

import json
from functools import lru_cache
from typing import Any, Final, NoReturn

import jsonschema_rs
import msgspec

from events import strictness
from events.errors import InvalidEvent
from events.schemas.errors import Flaw, SchemaInvalid
from events.schemas.structure import DIALECT, MAX_SCHEMA_BYTES, find_flaws
from events.schemas.violations import Violation, violation_of
from events.strictness import escape_pointer

_CACHED: Final = 512
_MAX_PATTERN_BYTES: Final = 1024 * 1024
_MASK: Final = "the value"
_decode = msgspec.json.Decoder().decode


class Validator:
    """A compiled schema. `first_violation` takes the JSON text of an event's `data`, b"" when it has none."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self.schema = schema
        self._compiled = _compile(schema)

    def first_violation(self, data: bytes) -> Violation | None:
        document = _decode(data) if data else {}
        if document is None:
            document = {}
        if self._compiled.is_valid(document):
            return None
        try:
            self._compiled.validate(document)  # ends at the first violation, of perhaps very many
        except jsonschema_rs.ValidationError as error:
            return violation_of(error)
        return None


def read_schema(text: str) -> dict[str, Any]:
    """The document of a schema's text. Raises SchemaInvalid."""
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_SCHEMA_BYTES:
        raise SchemaInvalid.at("", f"It has {len(raw)} bytes; write at most {MAX_SCHEMA_BYTES}.")
    try:
        strictness.check_exactly(raw)
    except InvalidEvent as error:
        remedy = error.message.replace("The event nests", "It nests")
        raise SchemaInvalid.at(error.pointer, remedy) from None
    document = json.loads(raw)
    if not isinstance(document, dict):
        raise SchemaInvalid.at("", 'A schema here is a JSON object, such as {"type": "object"}; write one.')
    return document


@lru_cache(maxsize=_CACHED)
def compile_schema(text: str) -> Validator:
    """The validator of a schema's text. Raises SchemaInvalid, which names the pointers into the schema."""
    document = read_schema(text)
    _check_against_dialect(document)
    if flaws := find_flaws(document):
        raise SchemaInvalid(flaws)
    return Validator(document)


def _check_against_dialect(document: dict[str, Any]) -> None:
    errors = [_flaw_of(error) for error in _META_SCHEMA.iter_errors(document)]
    if errors:
        raise SchemaInvalid(errors[:10])


def _compile(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    try:
        return jsonschema_rs.Draft202012Validator(
            schema,
            validate_formats=True,
            retriever=_deny,
            mask=_MASK,
            # Linear in the text, whatever the expression; look-around and back-references do not compile.
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_MAX_PATTERN_BYTES),
        )
    except jsonschema_rs.ValidationError as error:
        raise SchemaInvalid([_flaw_of(error)]) from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise SchemaInvalid.at("", f"It cannot be compiled: {error}.") from None


def _flaw_of(error: jsonschema_rs.ValidationError) -> Flaw:
    pointer = "".join(f"/{escape_pointer(str(token))}" for token in error.instance_path)
    if pointer.endswith("/pattern") or "/patternProperties" in pointer:
        return Flaw(pointer, "Not an expression that is supported; look-around and back-references are not.")
    message = error.message.replace(_MASK, "this", 1)
    return Flaw(pointer, f"Not JSON Schema: {message}.")


def _deny(uri: str) -> NoReturn:
    raise ValueError(f"{uri} is outside this schema, and nothing is fetched")


_META_SCHEMA: Final = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, retriever=_deny, mask=_MASK)
