"""How a row's columns become an event: what people write, and the checks on it. Pure."""

import re
from collections.abc import Iterable
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET, UnsetType

from events.errors import RequestRefused

Kind = Literal["", "text", "number", "boolean", "time", "json"]
FIELDS: Final = ("type", "id", "source", "subject", "key", "time", "value")
UNIX_FORMATS: Final[dict[str, int]] = {"unix": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
_DEFAULT_KINDS: Final[dict[str, Kind]] = {"time": "time", "value": "number"}
_is_data_path: Final = re.compile(r"data(\.[^.]+){1,30}").fullmatch
_MOST_RULES: Final = 1_000


class Rule(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """Where one field comes from: a column, or the same constant for every row.

    `kind` is what a column's text means; "" leaves it to the field. `format` of a time: "" for RFC 3339, unix,
    unix_ms, unix_us, or Python's strptime codes; `zone` (IANA) of times that have none of their own.
    """

    column: str | None = None
    constant: str | int | float | bool | UnsetType = UNSET
    kind: Kind = msgspec.field(default="", name="type")
    format: str = ""
    zone: str = ""


class Mapping(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """Event field (or `data.x`) to its rule. Empty cells are left out of the event."""

    fields: dict[str, Rule]
    delimiter: str = ","
    header: bool = True


class InvalidMapping(RequestRefused):
    """The mapping cannot be used; `detail` names the place in it."""

    def __init__(self, detail: str) -> None:
        super().__init__(400, "invalid_mapping", detail)


def parse_mapping(document: bytes | str | Any) -> Mapping:
    """From JSON text, or from what was decoded of it. Raises InvalidMapping."""
    try:
        if isinstance(document, bytes | str):
            mapping = msgspec.json.decode(document, type=Mapping)
        else:
            mapping = msgspec.convert(document, type=Mapping)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidMapping(f"The mapping is not right: {error}.") from None
    _check(mapping)
    return mapping


def mapping_document(mapping: Mapping) -> dict[str, Any]:
    """As JSON values, to be kept and shown."""
    document: dict[str, Any] = msgspec.to_builtins(mapping)
    return document


def kind_of(target: str, rule: Rule) -> Kind:
    """What a column means for this field when the rule does not say."""
    if rule.kind:
        return rule.kind
    return _DEFAULT_KINDS.get(target, "text" if target in FIELDS else "")


def _check(mapping: Mapping) -> None:
    try:
        text = msgspec.json.encode(mapping)
    except UnicodeEncodeError:
        raise InvalidMapping("The mapping holds half a surrogate pair; write the whole character.") from None
    if b"\\u0000" in text or len(mapping.fields) > _MOST_RULES:
        raise InvalidMapping(f"The mapping may hold no U+0000 and at most {_MOST_RULES} fields.")
    if "type" not in mapping.fields:
        raise InvalidMapping('fields.type is missing: name its column, or {"constant": "…"}.')
    if len(mapping.delimiter) != 1 or mapping.delimiter in '"\r\n':
        raise InvalidMapping("delimiter must be one character, and neither a quote nor a line break.")
    for target, rule in mapping.fields.items():
        _check_target(target, mapping.fields)
        _check_rule(target, rule)


def _check_target(target: str, targets: Iterable[str]) -> None:
    if target not in FIELDS and not _is_data_path(target):
        raise InvalidMapping(f"{target!r} is no field: use {', '.join(FIELDS)} or data.NAME.")
    if any(other.startswith(f"{target}.") for other in targets):
        raise InvalidMapping(f"{target!r} cannot be a value and hold others: rename one.")


def _check_rule(target: str, rule: Rule) -> None:
    if (rule.column is None) == (rule.constant is UNSET):
        raise InvalidMapping(f"fields.{target} needs either a column or a constant.")
    if (rule.format or rule.zone) and kind_of(target, rule) != "time":
        raise InvalidMapping(f"fields.{target} is no time: leave out format and zone.")
    if rule.zone:
        try:
            ZoneInfo(rule.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidMapping(
                f"fields.{target}.zone: {rule.zone!r} is no time zone; write it like Europe/Berlin."
            ) from None
    if rule.format and rule.format not in UNIX_FORMATS and "%" not in rule.format:
        raise InvalidMapping(
            f"fields.{target}.format must be {', '.join(UNIX_FORMATS)} or strptime codes such as %Y-%m-%d."
        )
