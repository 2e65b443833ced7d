"""From cells to JSON values: numbers, booleans, times in many notations. Pure."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from events.errors import InvalidEvent
from events.imports.mapping import UNIX_FORMATS, Rule, kind_of

Convert = Callable[[Any], Any]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BOOLEANS: Final = {
    "true": True, "t": True, "yes": True, "y": True, "1": True, "on": True,
    "false": False, "f": False, "no": False, "n": False, "0": False, "off": False,
}  # fmt: skip
_SHOWN: Final = 80


def converter(target: str, rule: Rule) -> Convert:
    """What turns a cell of this rule's column into a JSON value; it raises InvalidEvent naming field and column."""
    pointer = "/" + target.replace(".", "/")
    convert = _CONVERTERS[kind_of(target, rule)](rule)
    code = "invalid_time" if kind_of(target, rule) == "time" else "wrong_type"

    def checked(cell: Any) -> Any:
        try:
            return convert(cell)
        except (ValueError, OverflowError, InvalidOperation, msgspec.DecodeError) as error:
            shown = str(cell)[:_SHOWN]
            raise InvalidEvent(code, pointer, f"Column {rule.column!r}: {shown!r} {error}.") from None

    return checked


def _as_it_is(rule: Rule) -> Convert:
    return lambda cell: cell


def _text(rule: Rule) -> Convert:
    return lambda cell: cell if isinstance(cell, str) else str(cell)


def _number(rule: Rule) -> Convert:
    return to_number


def to_number(cell: Any) -> int | float:
    """Raises ValueError."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return cell
    text = str(cell).strip()
    try:
        number: int | float = int(text) if len(text) < 300 else float(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            raise ValueError("is not a number") from None
    if "_" in text or not isfinite(number):
        raise ValueError("is not a finite number")
    return number


def _boolean(rule: Rule) -> Convert:
    return to_boolean


def to_boolean(cell: Any) -> bool:
    """Raises ValueError."""
    found = _BOOLEANS.get(str(cell).strip().lower())
    if found is None:
        raise ValueError("is neither true nor false")
    return found


def _json(rule: Rule) -> Convert:
    def convert(cell: Any) -> Any:
        if not isinstance(cell, str):
            return cell
        text = cell.encode("utf-8", "surrogatepass")
        msgspec.json.decode(text)
        # As it stands, so that the one decoder sees it; outside strings a line break is a space.
        return msgspec.Raw(text.replace(b"\n", b" ").replace(b"\r", b" "))

    return convert


def _time(rule: Rule) -> Convert:
    zone = ZoneInfo(rule.zone) if rule.zone else None
    if rule.format in UNIX_FORMATS:
        scale = UNIX_FORMATS[rule.format]
        return lambda cell: cell if isinstance(cell, datetime) else _from_unix(cell, scale)
    if rule.format:
        return lambda cell: _zoned(_parsed(cell, rule.format), zone)
    return lambda cell: _iso(cell, zone)


def _from_unix(cell: Any, scale: int) -> str:
    try:
        amount = Decimal(str(cell).strip())
    except InvalidOperation:
        raise ValueError("is not a number of seconds since 1970") from None
    if not amount.is_finite():
        raise ValueError("is not a number of seconds since 1970")
    return (_EPOCH + timedelta(microseconds=int(amount * scale))).isoformat()


def _parsed(cell: Any, shape: str) -> datetime:
    if isinstance(cell, date):
        return _as_datetime(cell)
    try:
        return datetime.strptime(str(cell).strip(), shape)  # noqa: DTZ007 - the rule's zone follows
    except ValueError:
        raise ValueError(f"does not look like {shape}") from None


def _iso(cell: Any, zone: tzinfo | None) -> str:
    """RFC 3339 as it is, for the decoder to judge; with a zone to add, parsed first."""
    if isinstance(cell, date):
        return _zoned(_as_datetime(cell), zone)
    text = str(cell).strip()
    if zone is None:
        return text
    try:
        return _zoned(datetime.fromisoformat(text), zone)
    except ValueError:
        raise ValueError("is not an ISO 8601 time") from None


def _as_datetime(cell: date) -> datetime:
    return cell if isinstance(cell, datetime) else datetime.combine(cell, time())


def _zoned(moment: datetime, zone: tzinfo | None) -> str:
    """A time without a zone gets the rule's. One that the zone's clocks skipped is moved on, as PEP 495 has it."""
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone).astimezone(UTC)
    return moment.isoformat()


_CONVERTERS: Final[dict[str, Callable[[Rule], Convert]]] = {
    "": _as_it_is, "text": _text, "number": _number, "boolean": _boolean, "time": _time, "json": _json,
}  # fmt: skip
