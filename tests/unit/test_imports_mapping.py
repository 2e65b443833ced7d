"""Columns to events: each kind of cell, each notation of time, and what people get wrong."""

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from events.errors import InvalidEvent
from events.imports.errors import ImportFailed
from events.imports.mapper import Mapper
from events.imports.mapping import InvalidMapping, mapping_document, parse_mapping
from events.imports.suggesting import suggest_delimiter, suggest_mapping


def event(rule: dict[str, Any], cell: object, target: str = "data.x") -> Any:
    mapping = parse_mapping({"fields": {"type": {"constant": "t"}, target: {"column": "c", **rule}}})
    found = msgspec.json.decode(Mapper(mapping, ["c"]).event((cell,)))
    for name in target.split("."):
        found = found.get(name, {})
    return found


@pytest.mark.parametrize(
    ("rule", "cell", "expected"),
    [
        ({}, "007", "007"),
        ({}, 7, 7),
        ({"type": "text"}, 7, "7"),
        ({"type": "number"}, " 7 ", 7),
        ({"type": "number"}, "-1.5e3", -1500.0),
        ({"type": "number"}, "12345678901234567890", 12345678901234567890),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "json"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "time"}, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ({"type": "time", "zone": "Europe/Berlin"}, "2026-01-31 12:00", "2026-01-31T11:00:00+00:00"),
        ({"type": "time", "zone": "Europe/Berlin"}, "2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00"),
        (
            {"type": "time", "format": "%d.%m.%Y %H:%M", "zone": "UTC"},
            "31.01.2026 12:00",
            "2026-01-31T12:00:00+00:00",
        ),
        ({"type": "time", "format": "unix"}, "1767225600.25", "2026-01-01T00:00:00.250000+00:00"),
        ({"type": "time", "format": "unix_ms"}, 1767225600250, "2026-01-01T00:00:00.250000+00:00"),
        ({"type": "time", "format": "unix_us"}, "1767225600000001", "2026-01-01T00:00:00.000001+00:00"),
        ({"type": "time", "zone": "UTC"}, date(2026, 1, 31), "2026-01-31T00:00:00+00:00"),
        ({"type": "time"}, datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
        ({}, "", {}),
        ({}, None, {}),
    ],
)
def test_a_cell_becomes(rule: dict[str, Any], cell: object, expected: object) -> None:
    assert event(rule, cell) == expected


@pytest.mark.parametrize(
    ("target", "rule", "cell", "code"),
    [
        ("value", {}, "12,5", "wrong_type"),
        ("value", {}, "nan", "wrong_type"),
        ("value", {}, "1_000", "wrong_type"),
        ("data.ok", {"type": "boolean"}, "maybe", "wrong_type"),
        ("data.j", {"type": "json"}, "{", "wrong_type"),
        ("time", {"format": "%Y"}, "soon", "invalid_time"),
        ("time", {"zone": "UTC"}, "31.01.2026", "invalid_time"),
        ("time", {"format": "unix"}, "1e99", "invalid_time"),
        ("time", {"format": "unix"}, "Infinity", "invalid_time"),
    ],
)
def test_a_cell_that_is_something_else_names_field_and_column(
    target: str, rule: dict[str, Any], cell: str, code: str
) -> None:
    with pytest.raises(InvalidEvent) as caught:
        event(rule, cell, target)
    assert caught.value.code == code
    assert caught.value.pointer == "/" + target.replace(".", "/")
    assert "'c'" in caught.value.message


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        {"fields": {}},
        {"fields": {"type": {}}},
        {"fields": {"type": {"column": "a", "constant": "b"}}},
        {"fields": {"type": {"column": "a"}, "colour": {"column": "b"}}},
        {"fields": {"type": {"column": "a"}, "data": {"column": "b"}}},
        {"fields": {"type": {"column": "a"}, "data.x": {"column": "b"}, "data.x.y": {"column": "c"}}},
        {"fields": {"type": {"column": "a"}, "value": {"column": "b", "zone": "UTC"}}},
        {"fields": {"type": {"column": "a"}, "time": {"column": "b", "zone": "Mars/Olympus"}}},
        {"fields": {"type": {"column": "a"}, "time": {"column": "b", "format": "iso"}}},
        {"fields": {"type": {"column": "a\0"}}},
        {"fields": {"type": {"column": "a"}}, "delimiter": ";;"},
        {"fields": {"type": {"column": "a", "colour": 1}}},
    ],
)
def test_a_mapping_that_cannot_be_is_refused(document: object) -> None:
    with pytest.raises(InvalidMapping) as caught:
        parse_mapping(document)
    assert caught.value.status == 400


def test_a_mapping_is_kept_as_it_was_written() -> None:
    written = {
        "fields": {"type": {"constant": "t"}, "time": {"column": "at", "zone": "UTC"}},
        "delimiter": ";",
    }
    assert mapping_document(parse_mapping(written)) == written


def test_a_column_that_the_file_lacks_is_named_with_those_it_has() -> None:
    mapping = parse_mapping({"fields": {"type": {"column": "kind"}}})
    with pytest.raises(ImportFailed, match=r"'kind'.*a, b"):
        Mapper(mapping, ["a", "b"])


def test_a_suggestion_knows_fields_by_name_and_kinds_by_their_cells() -> None:
    columns = ["Timestamp", "event_type", "device", "value", "Wind dir.", "zip", "ok"]
    rows = [["2026-01-31 12:00:00", "t", "d", "1.5", "7", "01234", "true"]]
    assert mapping_document(suggest_mapping(columns, rows, name="x.csv")) == {
        "fields": {
            "type": {"column": "event_type"},
            "source": {"column": "device"},
            "time": {"column": "Timestamp", "zone": "UTC"},
            "value": {"column": "value"},
            "data.Wind_dir": {"column": "Wind dir.", "type": "number"},
            "data.zip": {"column": "zip"},
            "data.ok": {"column": "ok", "type": "boolean"},
        }
    }


@pytest.mark.parametrize(
    ("cell", "rule"),
    [
        ("1767225600", {"format": "unix"}),
        ("1767225600123", {"format": "unix_ms"}),
        ("1767225600123456", {"format": "unix_us"}),
        ("2026-01-31T12:00:00+01:00", {}),
        ("31.01.2026 12:00", {"format": "%d.%m.%Y %H:%M", "zone": "UTC"}),
        ("yesterday", {}),
    ],
)
def test_a_suggestion_finds_out_how_times_are_written(cell: str, rule: dict[str, str]) -> None:
    suggested = mapping_document(suggest_mapping(["ts"], [[cell]], name="My Door-log 2.csv.gz"))
    assert suggested["fields"]["time"] == {"column": "ts", **rule}
    assert suggested["fields"]["type"] == {"constant": "imported.my_door-log_2"}


def test_every_suggestion_is_a_mapping_that_may_be_sent_back() -> None:
    columns = ["", "a.b", "a b", "data", "id", "ID", "\u00e4"]
    suggested = suggest_mapping(columns, [["1"] * 7], name="")
    assert parse_mapping(mapping_document(suggested)) == suggested


@pytest.mark.parametrize(("header", "delimiter"), [("a;b,c;d", ";"), ("a\tb", "\t"), ("a", ",")])
def test_the_delimiter_is_the_one_the_header_has_most_of(header: str, delimiter: str) -> None:
    assert suggest_delimiter(header) == delimiter
