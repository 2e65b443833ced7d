"""A mapping made ready for one file's columns: rows in, JSON texts of events out. Pure."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET

from events.errors import InvalidEvent
from events.imports.converting import Convert, converter
from events.imports.errors import ImportFailed
from events.imports.mapping import Mapping

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
Step = tuple[tuple[str, ...], int, Convert]


class Mapper:
    """Makes the JSON text of an event from each row of a file with these columns.

    Raises ImportFailed (missing_column) when the file lacks a column that the mapping names.
    """

    def __init__(self, mapping: Mapping, columns: Sequence[str]) -> None:
        self._constants: list[tuple[tuple[str, ...], Any]] = []
        self._steps: list[Step] = []
        for target, rule in mapping.fields.items():
            path = tuple(target.split("."))
            if rule.constant is not UNSET:
                self._constants.append((path, rule.constant))
            elif rule.column is not None:
                self._steps.append((path, _place(rule.column, columns), converter(target, rule)))

    def event(self, row: Sequence[Any]) -> bytes:
        """Empty cells are left out. Raises InvalidEvent when a cell is not what its rule says."""
        event: dict[str, Any] = {}
        for path, constant in self._constants:
            _put(event, path, constant)
        for path, place, convert in self._steps:
            cell = row[place] if place < len(row) else None
            if cell is not None and cell != "":
                _put(event, path, convert(cell))
        try:
            return _encode(event)
        except (UnicodeEncodeError, TypeError, ValueError, msgspec.MsgspecError) as error:
            raise InvalidEvent("invalid_utf8", "", f"The row cannot be written as JSON: {error}.") from None


def _place(column: str, columns: Sequence[str]) -> int:
    try:
        return list(columns).index(column)
    except ValueError:
        there_are = ", ".join(columns[:20])
        raise ImportFailed(
            "missing_column", f"The file has no column {column!r}. It has: {there_are}."
        ) from None


def _put(event: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        event = event.setdefault(name, {})
    event[path[-1]] = value
