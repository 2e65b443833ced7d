"""Parquet in batches, row group by row group, by pyarrow (the extra `parquet`)."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from events.errors import InvalidEvent
from events.imports.errors import ImportFailed
from events.imports.mapper import Mapper
from events.imports.mapping import Mapping
from events.imports.reading import BLOCK, RAW_KEPT, Batch, Cursor, Refusal

ROWS: Final = 1_000
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def _pyarrow(name: str) -> Any:
    """Imported when the first Parquet file comes: it is optional, and costs each process some 50 MiB."""
    try:
        return import_module(name)
    except ImportError:
        raise ImportFailed(
            "parquet_not_installed",
            "Parquet needs the extra `parquet`: pip install 'streamgauge[parquet]', then restart the processes.",
        ) from None


def open_parquet(path: Path) -> Any:
    """A pyarrow ParquetFile, to be closed by the caller. Raises ImportFailed."""
    parquet, arrow = _pyarrow("pyarrow.parquet"), _pyarrow("pyarrow")
    try:
        return parquet.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=BLOCK)
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _broken(error) from None


def count_rows(path: Path) -> int:
    """How many rows the file says it has. Raises ImportFailed."""
    with open_parquet(path) as file:
        return int(file.metadata.num_rows)


def parquet_columns(file: Any) -> list[str]:
    return [str(name) for name in file.schema_arrow.names]


def read_parquet(path: Path, mapping: Mapping, start: Cursor) -> Iterator[Batch]:
    """Rows through the mapping, from row `start.position` on. Raises ImportFailed."""
    with open_parquet(path) as file:
        columns = parquet_columns(file)
        wanted = list(
            dict.fromkeys(rule.column for rule in mapping.fields.values() if rule.column is not None)
        )
        mapper = Mapper(mapping, columns)  # says which column is missing, before pyarrow would
        mapper = Mapper(mapping, wanted) if wanted else mapper
        cursor = start
        for rows in read_rows(file, wanted or columns[:1], start.position):
            batch = _batch(mapper, rows, cursor)
            yield batch
            cursor = batch.end


def read_rows(file: Any, columns: list[str], skip: int) -> Iterator[list[tuple[Any, ...]]]:
    """Rows as tuples of Python values, ROWS at a time; no batch spans two row groups. Raises ImportFailed."""
    arrow = _pyarrow("pyarrow")
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        if skip >= size:
            skip -= size
            continue
        try:
            for batch in file.iter_batches(batch_size=ROWS, row_groups=[group], columns=columns):
                dropped = min(skip, batch.num_rows)
                skip -= dropped
                if dropped < batch.num_rows:
                    yield _tuples(arrow, batch.slice(dropped), columns)
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise _broken(error) from None


def _tuples(arrow: Any, batch: Any, columns: list[str]) -> list[tuple[Any, ...]]:
    return list(zip(*(_values(arrow, batch.column(name)) for name in columns), strict=True))


def _values(arrow: Any, column: Any) -> list[Any]:
    """Times to the microsecond, which is what an event's time keeps and Python's datetime can hold."""
    if arrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values


def _batch(mapper: Mapper, rows: list[tuple[Any, ...]], start: Cursor) -> Batch:
    texts: list[bytes] = []
    lines: list[int] = []
    refusals: list[Refusal] = []
    for line, row in enumerate(rows, start.position + 1):
        try:
            texts.append(mapper.event(row))
            lines.append(line)
        except InvalidEvent as error:
            refusals.append(Refusal(line, error, _shown(row)))
    end = start.position + len(rows)
    return Batch(start, Cursor(end, end), b"\n".join(texts), lambda place: (lines[place], None), refusals)


def _shown(row: tuple[Any, ...]) -> bytes:
    try:
        return _encode(row)[:RAW_KEPT]
    except (TypeError, ValueError, msgspec.MsgspecError):
        return repr(row).encode("utf-8", "replace")[:RAW_KEPT]


def _broken(error: Exception) -> ImportFailed:
    return ImportFailed("broken_file", f"The file cannot be read as Parquet: {error}. Write it again.")
