"""Batches out of files: whole, resumable at each of them, and unharmed by hostile bytes."""

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from events.imports.csv_reading import read_csv
from events.imports.errors import ImportFailed
from events.imports.mapping import Mapping, parse_mapping
from events.imports.parquet_reading import read_parquet
from events.imports.reading import BLOCK, Batch, Cursor, read_ndjson
from events.limits import MAX_EVENT_BYTES, MAX_EVENTS

Read = Callable[[BinaryIO, Cursor], Iterator[Batch]]
MAPPING = parse_mapping(
    {"fields": {"type": {"constant": "row"}, "data.a": {"column": "a"}, "data.b": {"column": "b"}}}
)


def csv_reader(mapping: Mapping = MAPPING) -> Read:
    return lambda file, start: read_csv(file, mapping, start)


def rows_of(batches: Iterator[Batch]) -> list[tuple[int, Any]]:
    """(line, event or code) of each row, by line."""
    found: list[tuple[int, Any]] = []
    for batch in batches:
        texts = [text for text in batch.body.split(b"\n") if text and not text.isspace()]
        found += [(batch.origin(place)[0], text) for place, text in enumerate(texts)]
        found += [(refusal.line, refusal.error.code) for refusal in batch.refusals]
    return sorted(found, key=lambda row: row[0])


def cells(content: bytes) -> list[tuple[int, Any]]:
    rows = rows_of(read_csv(BytesIO(content), MAPPING, Cursor()))
    return [
        (line, row if isinstance(row, str) else msgspec.json.decode(row).get("data")) for line, row in rows
    ]


def ndjson(count: int, padding: int = 20) -> bytes:
    return b"".join(
        b'{"type": "a", "value": %d, "source": "%s"}\n' % (n, b"x" * padding) for n in range(count)
    )


def csv_rows(count: int) -> bytes:
    return b"a,b\n" + b"".join(b'%d,"line\nbreak, ""%d"""\n' % (n, n) for n in range(count))


@pytest.mark.parametrize(
    ("content", "read"), [(ndjson(40_000), read_ndjson), (csv_rows(20_000), csv_reader())]
)
def test_reading_on_from_any_batch_gives_what_reading_through_gives(content: bytes, read: Read) -> None:
    whole = list(read(BytesIO(content), Cursor()))
    assert len(whole) > 3
    for at, batch in enumerate(whole):
        rest = list(read(BytesIO(content), batch.end))
        assert [each.body for each in rest] == [each.body for each in whole[at + 1 :]]
        assert [each.end for each in rest] == [each.end for each in whole[at + 1 :]]
    assert whole[-1].end.position == len(content)


def test_each_batch_begins_where_the_last_one_ended() -> None:
    batches = list(read_ndjson(BytesIO(ndjson(40_000)), Cursor()))
    assert [batch.start for batch in batches] == [Cursor(), *(batch.end for batch in batches[:-1])]
    assert b"".join(batch.body for batch in batches) == ndjson(40_000)


def test_short_lines_are_cut_at_the_limit_of_events() -> None:
    batches = list(read_ndjson(BytesIO(b"{}\n" * (MAX_EVENTS * 2 + 1)), Cursor()))
    assert [batch.body.count(b"\n") for batch in batches] == [MAX_EVENTS, MAX_EVENTS, 1]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    content = b'\xef\xbb\xbf{"a":1}\r\n\r\n  \n{"a":2}\n\n{"a":3}'
    assert rows_of(read_ndjson(BytesIO(content), Cursor())) == [
        (1, b'{"a":1}\r'),
        (4, b'{"a":2}'),
        (6, b'{"a":3}'),
    ]


@pytest.mark.parametrize("size", [MAX_EVENT_BYTES - 1, MAX_EVENT_BYTES, MAX_EVENT_BYTES + 1])
def test_a_line_of_about_the_limit_goes_to_the_decoder(size: int) -> None:
    long = b'"' + b"x" * (size - 2) + b'"'
    rows = rows_of(read_ndjson(BytesIO(b"1\n" + long + b"\n2\n"), Cursor()))
    assert rows == [(1, b"1"), (2, long), (3, b"2")]


def test_a_line_far_over_the_limit_is_refused_and_not_held() -> None:
    rows = rows_of(read_ndjson(BytesIO(b"1\n" + b"x" * (3 * BLOCK) + b"\n2\n"), Cursor()))
    assert rows == [(1, b"1"), (2, "event_too_large"), (3, b"2")]


def test_an_overlong_last_line_without_an_end_is_refused_too() -> None:
    (batch,) = read_ndjson(BytesIO(b"x" * (2 * BLOCK)), Cursor())
    assert batch.refusals[0].error.code == "event_too_large"
    assert batch.end == Cursor(2 * BLOCK, 1)


def test_quotes_delimiters_and_line_breaks_in_cells_are_kept() -> None:
    assert cells(b'a,b\r\n"x, ""y""","1\n2"\r\nz,\r\n') == [
        (2, {"a": 'x, "y"', "b": "1\n2"}),
        (4, {"a": "z"}),
    ]


def test_a_quote_that_nobody_closed_costs_its_line_alone() -> None:
    assert cells(b'a,b\n1,2\n"3,4\n5,6\n') == [
        (2, {"a": "1", "b": "2"}),
        (3, "malformed_csv"),
        (4, {"a": "5", "b": "6"}),
    ]


def test_a_row_with_more_cells_than_the_header_is_refused() -> None:
    assert cells(b"a,b\n1,2,3\n4\n") == [(2, "malformed_csv"), (3, {"a": "4"})]


def test_a_row_that_is_not_utf_8_is_refused_and_the_others_are_not() -> None:
    assert cells("a,b\nä,1\n".encode() + b"\xe4,2\n") == [(2, {"a": "ä", "b": "1"}), (3, "invalid_utf8")]


@pytest.mark.parametrize(
    "cell", [b"x" * (MAX_EVENT_BYTES + 10), b'"' + b"x\n" * (MAX_EVENT_BYTES // 2 + 10) + b'"']
)
def test_a_csv_row_over_the_limit_is_refused_and_the_next_line_is_read(cell: bytes) -> None:
    rows = cells(b"a,b\n" + cell + b",1\n7,8\n")
    assert rows[0] == (2, "event_too_large")
    assert rows[-1][1] == {"a": "7", "b": "8"}


def test_nul_in_a_cell_is_left_to_the_decoder() -> None:
    assert cells(b"a,b\n\x00,1\n") == [(2, {"a": "\0", "b": "1"})]


def test_a_file_without_a_header_has_numbered_columns() -> None:
    mapping = parse_mapping(
        {
            "fields": {"type": {"column": "column2"}, "value": {"column": "column1"}},
            "header": False,
            "delimiter": ";",
        }
    )
    rows = rows_of(read_csv(BytesIO(b"1;a\n2;b\n"), mapping, Cursor()))
    assert rows == [(1, b'{"type":"a","value":1}'), (2, b'{"type":"b","value":2}')]


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "bad_header"), (b"\n1,2\n", "bad_header"), (b"a,c\n1,2\n", "missing_column")]
)
def test_a_header_that_does_not_fit_says_why(content: bytes, code: str) -> None:
    with pytest.raises(ImportFailed) as caught:
        list(read_csv(BytesIO(content), MAPPING, Cursor()))
    assert caught.value.code == code


def test_json_cells_with_line_breaks_stay_one_event() -> None:
    mapping = parse_mapping(
        {"fields": {"type": {"constant": "t"}, "data.x": {"column": "a", "type": "json"}}}
    )
    ((_, text),) = rows_of(read_csv(BytesIO(b'a\n"{""k"":\n [1,\n2]}"\n'), mapping, Cursor()))
    assert msgspec.json.decode(text) == {"type": "t", "data": {"x": {"k": [1, 2]}}}


def test_parquet_is_read_on_from_any_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pyarrow.table({"a": list(range(5_000)), "b": [None if n % 2 else f"b{n}" for n in range(5_000)]})
    parquet.write_table(table, path, row_group_size=1_700)
    whole = rows_of(read_parquet(path, MAPPING, Cursor()))
    assert whole[0] == (1, b'{"type":"row","data":{"a":0,"b":"b0"}}')
    assert whole[4_999] == (5_000, b'{"type":"row","data":{"a":4999}}')
    for at in (1, 1_699, 1_700, 1_701, 4_999):
        assert rows_of(read_parquet(path, MAPPING, Cursor(at, at))) == whole[at:]
