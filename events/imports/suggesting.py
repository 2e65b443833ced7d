"""A first mapping, guessed from a file's columns and first rows, for people to correct. Pure."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from events.imports.converting import to_boolean, to_number
from events.imports.mapping import Mapping, Rule

_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "type": ("type", "event_type", "event", "event_name", "kind"),
    "id": ("id", "event_id", "uuid", "uid"),
    "source": ("source", "origin", "host", "device", "sensor"),
    "subject": ("subject", "user_id", "user", "customer"),
    "key": ("key", "partition_key"),
    "time": ("time", "timestamp", "ts", "datetime", "date", "event_time", "occurred_at", "created_at", "at"),
    "value": ("value", "amount", "measure", "reading", "val"),
}
_TIME_FORMATS: Final = (
    "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y", "%d.%m.%Y",
)  # fmt: skip
_MILLISECONDS_FROM: Final = 1e11  # as seconds, the year 5138
_MICROSECONDS_FROM: Final = 1e14
DELIMITERS: Final = ",;\t|"


def suggest_mapping(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, name: str, delimiter: str = ","
) -> Mapping:
    """Columns by their names, the others into data; kinds by the sample. Without a type column: the file's name."""
    fields: dict[str, Rule] = {}
    taken: set[str] = set()
    lower = {column.strip().lower(): column for column in reversed(columns)}
    for target, names in _NAMES.items():
        found = next((lower[each] for each in names if each in lower), None)
        if found is not None and found not in taken:
            taken.add(found)
            fields[target] = _rule(target, found, _sample(columns, rows, found))
    fields.setdefault("type", Rule(constant=_type_name(name)))
    for column in dict.fromkeys(columns):
        if column not in taken and column:
            fields[_data_target(column)] = _rule("data", column, _sample(columns, rows, column))
    return Mapping(fields=fields, delimiter=delimiter)


def suggest_delimiter(header: str) -> str:
    """The separator that the first line has most of."""
    return max(DELIMITERS, key=header.count)


def _sample(columns: Sequence[str], rows: Sequence[Sequence[Any]], column: str) -> list[Any]:
    place = list(columns).index(column)
    cells = [row[place] for row in rows if place < len(row)]
    return [cell for cell in cells if cell is not None and cell != ""]


def _rule(target: str, column: str, sample: list[Any]) -> Rule:
    if target == "time":
        return _time_rule(column, sample)
    if target != "data" or not sample or not all(isinstance(cell, str) for cell in sample):
        return Rule(column=column)
    if _all(to_number, sample) and not any(_is_code(cell) for cell in sample):
        return Rule(column=column, kind="number")
    if _all(to_boolean, sample):
        return Rule(column=column, kind="boolean")
    return Rule(column=column)


def _is_code(text: str) -> bool:
    """Leading zeros mean something to whoever wrote them: a postcode is no number."""
    return len(text) > 1 and text[0] == "0" and text.isdigit()


def _time_rule(column: str, sample: list[Any]) -> Rule:
    if not sample:
        return Rule(column=column)
    if _all(to_number, sample):
        greatest = max(abs(to_number(cell)) for cell in sample)
        if greatest >= _MICROSECONDS_FROM:
            return Rule(column=column, format="unix_us")
        return Rule(column=column, format="unix_ms" if greatest >= _MILLISECONDS_FROM else "unix")
    if _all(_iso, sample):
        return Rule(column=column, zone="" if all(map(_has_zone, sample)) else "UTC")
    for shape in _TIME_FORMATS:
        if _all(lambda cell, shape=shape: datetime.strptime(cell, shape), sample):  # type: ignore[misc] # noqa: DTZ007
            return Rule(column=column, format=shape, zone="UTC")
    return Rule(column=column)


def _iso(cell: Any) -> datetime:
    return cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell).strip())


def _has_zone(cell: Any) -> bool:
    return _iso(cell).tzinfo is not None


def _all(read: Callable[[Any], object], sample: list[Any]) -> bool:
    try:
        for cell in sample:
            read(cell)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _data_target(column: str) -> str:
    return "data." + (re.sub(r"[.\s]+", "_", column.strip()).strip("_") or "column")


def _type_name(name: str) -> str:
    stem = re.sub(r"(\.(csv|tsv|txt|parquet|pq|gz|gzip|zst|zstd))+$", "", name.lower())
    return "imported." + (re.sub(r"[^a-z0-9_-]+", "_", stem).strip("_")[:100] or "row")
